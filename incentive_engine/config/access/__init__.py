"""Where inputs lie and how they are reached: places, databases, keys, patterns."""
