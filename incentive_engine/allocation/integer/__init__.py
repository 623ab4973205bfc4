"""From prices to a plan in whole offers: ties, exchanges between users, integer programs."""
