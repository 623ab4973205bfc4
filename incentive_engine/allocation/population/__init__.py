"""Users who choose at prices: the compiled passes over them, and limits as maps of their sums."""
