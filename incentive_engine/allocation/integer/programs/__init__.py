"""Integer programs over a core of users, in exact coefficients, and what solves them."""
