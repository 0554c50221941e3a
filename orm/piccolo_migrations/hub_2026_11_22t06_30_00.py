"""Doors for browsers: one-use tickets, and session cookies among the tokens."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-22T06:30:00"
VERSION = "1.38.0"
DESCRIPTION = "one-use tickets; session cookies among the tokens"

KINDS = "'access', 'refresh', 'api', 'cookie'"
COLUMNS = "pk, kind, sha256, account, session, name, created_us, expires_us, revoked_us"

# SQLite changes no constraint, so the table is made anew; no row refers to it. Its numbers go on
# where they were: the audit names tokens by them.
ANEW = (
    f"""CREATE TABLE tokens_anew (
        pk {{serial}}, kind VARCHAR(10) NOT NULL CHECK (kind IN ({KINDS})),
        sha256 VARCHAR(64) NOT NULL UNIQUE, account BIGINT NOT NULL REFERENCES users (pk),
        session VARCHAR(32) NOT NULL, name VARCHAR(100) NOT NULL DEFAULT '', created_us BIGINT NOT NULL,
        expires_us BIGINT, revoked_us BIGINT)""".replace(
        "{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT"
    ),
    f"INSERT INTO tokens_anew ({COLUMNS}) SELECT {COLUMNS} FROM tokens",
    "DELETE FROM sqlite_sequence WHERE name = 'tokens_anew'",
    """INSERT INTO sqlite_sequence (name, seq)
        SELECT 'tokens_anew', seq FROM sqlite_sequence WHERE name = 'tokens'""",
    "DROP TABLE tokens",
    "ALTER TABLE tokens_anew RENAME TO tokens",
    "CREATE INDEX tokens_account ON tokens (account, session)",
    "CREATE INDEX tokens_expiry ON tokens (expires_us) WHERE expires_us IS NOT NULL",
)
ALTERED = (
    "ALTER TABLE tokens DROP CONSTRAINT tokens_kind_check",
    f"ALTER TABLE tokens ADD CONSTRAINT tokens_kind_check CHECK (kind IN ({KINDS}))",
)
TICKETS = (
    """CREATE TABLE tickets (
        pk {serial}, sha256 VARCHAR(64) NOT NULL UNIQUE,
        account BIGINT NOT NULL REFERENCES users (pk), session VARCHAR(32) NOT NULL,
        origin VARCHAR(255), job BIGINT, expires_us BIGINT NOT NULL)""",
    "CREATE INDEX tickets_account ON tickets (account, expires_us)",
    "CREATE INDEX tickets_expiry ON tickets (expires_us)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=TICKETS, sqlite=ANEW, postgres=ALTERED))

    manager.add_raw(run)
    return manager
