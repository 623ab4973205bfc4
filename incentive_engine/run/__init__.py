"""The run directory: its files, written and read, and the records beside it."""
