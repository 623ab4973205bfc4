"""What the watch looks at: pools, traffic, offers, users, the gain."""
