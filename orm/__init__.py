"""Storage: tables, migrations, named queries and the two engines; it knows no rules and no HTTP."""
