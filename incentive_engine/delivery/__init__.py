"""Run directories and exports: files that other systems load."""
