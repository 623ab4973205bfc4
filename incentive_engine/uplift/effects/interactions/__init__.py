"""Which traits move an effect: relevance, ridge regressions, interactions."""
