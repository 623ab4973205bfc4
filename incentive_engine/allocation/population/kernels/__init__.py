"""The compiled loops over users and offers."""
