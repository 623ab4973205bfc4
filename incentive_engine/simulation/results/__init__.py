"""Tables and promises out of what was simulated."""
