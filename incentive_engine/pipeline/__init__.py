"""The cached steps from a campaign's data to scores."""
