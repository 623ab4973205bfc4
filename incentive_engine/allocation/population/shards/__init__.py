"""Users in shards: columns in files, questions that go out to them, and answers that add up."""
