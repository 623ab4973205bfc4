"""What each offer changes on average: the constant effect, in order along a ladder."""
