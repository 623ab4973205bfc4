"""The market that answers offers: people, traffic, chances, settlement."""
