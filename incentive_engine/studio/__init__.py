"""The planner's pages in a browser: routes and templates; what they show is computed below."""
