"""Commands on a plan that stands: reproduce it, watch, learn, measure, value."""
