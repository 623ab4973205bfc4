"""What a plan means: gain, baselines, budget response, fairness, movers, disclosure."""
