"""When no plan keeps the limits: the conflict, and the cheapest relaxation."""
