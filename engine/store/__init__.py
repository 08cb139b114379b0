"""Where the truth lies: tables, migrations and the named hot queries, on SQLite and PostgreSQL alike."""
