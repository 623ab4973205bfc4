"""What the planner's pages ask for: folders, policies, plans that follow the hand, campaigns."""
