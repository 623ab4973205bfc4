"""The pages: plan, comparison, what-if, series, measurement."""
