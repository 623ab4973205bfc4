"""From a problem to a plan, on one machine or in shards."""
