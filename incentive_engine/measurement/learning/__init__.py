"""A finished campaign as the next trial: who was dealt an arm by lot, and what they did."""
