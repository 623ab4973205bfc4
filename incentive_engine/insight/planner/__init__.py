"""What a planner compares: two runs, and one plan under changed settings."""
