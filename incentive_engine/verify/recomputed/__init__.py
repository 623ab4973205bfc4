"""What scores, policy and prices say about every user and every limit, reckoned once more."""
