"""Schema changes, oldest first; each runs on SQLite and on PostgreSQL."""
