"""Where a ledger is kept: in a file of SQLite, or on a PostgreSQL server."""
