"""When: calendars, campaigns of several dates, durations and moments."""
