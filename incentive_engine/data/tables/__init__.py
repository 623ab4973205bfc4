"""Tables on disk and in memory: reading, writing, Arrow columns, scratch room."""
