"""YAML documents as trees with line numbers, and what is wrong with them in a planner's words."""
