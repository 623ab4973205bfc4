"""Re-checks a run from its files alone."""
