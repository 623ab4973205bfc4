"""The service as callers see it: bodies, replies, problems, routes, and their description."""
