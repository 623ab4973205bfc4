"""How good a model is on its own trial, out of fold."""
