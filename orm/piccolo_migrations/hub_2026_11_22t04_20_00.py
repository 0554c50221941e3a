"""Templates that say for how long a node may be silent."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-22T04:20:00"
VERSION = "1.38.0"
DESCRIPTION = "templates that say for how long a node may be silent"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=("ALTER TABLE job_templates ADD COLUMN silence_s INTEGER",)))

    manager.add_raw(run)
    return manager
