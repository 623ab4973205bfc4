"""What columns hold: attributes, features, measures, dates, conditions."""
