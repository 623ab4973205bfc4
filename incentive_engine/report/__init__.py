"""The page that a planner opens."""
