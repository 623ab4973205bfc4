"""Prices that follow a running campaign, live or simulated."""
