"""Nuisance models: outcomes, spend, costs and the forests behind them."""
