"""What a plan is worth: its gain, the holdout, costs, and plain rules beside it."""
