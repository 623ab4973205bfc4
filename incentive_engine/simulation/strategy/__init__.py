"""What proposes offers: strategies, plans, waves, and learning between waves."""
