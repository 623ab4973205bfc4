"""Doubly robust increments, and the value that any plan has by a trial."""
