"""Checks of a ledger, entry by entry, with code of its own."""
