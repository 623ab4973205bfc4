"""Per-user offers for other systems."""
