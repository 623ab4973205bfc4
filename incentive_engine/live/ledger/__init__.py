"""The ledger: records, the rules of writing them, SQLite and PostgreSQL."""
