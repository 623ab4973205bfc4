"""Event logs to features of the right moment: one compiled pass per user, the same everywhere."""
