"""What another policy would change, and for whom."""
