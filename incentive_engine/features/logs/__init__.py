"""Event logs as they are read: sources, times, words of a log."""
