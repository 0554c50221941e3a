"""What former holders of jobs bring too late, and how far leases were moved."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-22T03:40:00"
VERSION = "1.38.0"
DESCRIPTION = "late uploads of former holders, shifts of leases"

COLUMNS = (
    "ALTER TABLE hub_meta ADD COLUMN missed_us BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE hub_meta ADD COLUMN jumped_us BIGINT NOT NULL DEFAULT 0",
)

TABLES = (
    """CREATE TABLE quarantine (
        pk {serial}, job BIGINT NOT NULL REFERENCES jobs (pk) ON DELETE CASCADE, node BIGINT NOT NULL,
        account BIGINT NOT NULL, name VARCHAR(200) NOT NULL, type VARCHAR(1024) NOT NULL,
        sha256 VARCHAR(64) NOT NULL, size BIGINT NOT NULL, time_us BIGINT NOT NULL)""",
)

INDEXES = (
    "CREATE INDEX jobs_suspects ON jobs (suspect_us) WHERE suspect_us IS NOT NULL",
    "CREATE INDEX quarantine_job ON quarantine (job, pk)",
    "CREATE INDEX quarantine_bytes ON quarantine (sha256)",
    "CREATE INDEX quarantine_age ON quarantine (time_us)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=COLUMNS + TABLES + INDEXES))

    manager.add_raw(run)
    return manager
