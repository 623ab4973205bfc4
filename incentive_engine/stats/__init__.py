"""Estimates with intervals, power, and the effect of a holdout."""
