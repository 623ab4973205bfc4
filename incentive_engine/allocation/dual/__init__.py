"""The prices of the limits: the Lagrangian dual, its sweeps over users, and its minimum."""
