"""Notifications: what a job is asked to tell, and how far the log has been told."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-22T03:30:00"
VERSION = "1.38.0"
DESCRIPTION = "notifications of jobs; places in the log up to which they were printed and mailed"

# What happened before the upgrade is not told afterwards.
COLUMNS = (
    "ALTER TABLE job_specs ADD COLUMN notifications TEXT",
    "ALTER TABLE hub_meta ADD COLUMN notified_gseq BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE hub_meta ADD COLUMN mailed_gseq BIGINT NOT NULL DEFAULT 0",
    "UPDATE hub_meta SET notified_gseq = gseq, mailed_gseq = gseq",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=COLUMNS))

    manager.add_raw(run)
    return manager
