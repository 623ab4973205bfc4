"""What each offer changes for each user, learned from a randomised trial."""
