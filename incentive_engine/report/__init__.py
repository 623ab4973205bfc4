"""The pages that a planner opens: typed content, drawn; `pages.page` is the entrance."""
