"""What would have happened: worlds, replays, strategies and their comparison."""
