"""Randomised trials: arms, propensities, holdout, explorers, campaigns, outcomes."""
