"""What decides on one user as the plan did: frozen policy, rules, attributes, prices."""
