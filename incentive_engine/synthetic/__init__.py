"""The built-in market: people, campaigns and trials with known truth."""
