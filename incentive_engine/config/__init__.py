"""Policies and scenarios: what planners write, checked."""
