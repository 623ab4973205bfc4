"""Decisions for users as they appear, out of one pool that is never overspent."""
