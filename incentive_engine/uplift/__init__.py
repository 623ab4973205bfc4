"""Incremental conversion, incremental spend and expected cost per user and offer."""
