"""Exchanges of offers between users that better a plan, in compiled loops."""
