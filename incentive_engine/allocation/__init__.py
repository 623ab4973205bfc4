"""Who gets which offer under all limits, with a certificate; `plans.plan` is its entrance."""
