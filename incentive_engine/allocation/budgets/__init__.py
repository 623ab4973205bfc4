"""The same problem under other budgets: response curves, mandates, costs of limits."""
