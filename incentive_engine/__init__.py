"""Decides whom a subsidy pool is spent on, by what each offer changes."""
