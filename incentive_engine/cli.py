"""The commands that planners type."""
