"""How good the model is, and what the trial says about every user."""
