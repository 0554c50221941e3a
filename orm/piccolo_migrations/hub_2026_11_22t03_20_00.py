"""Job contracts, and templates that name a licence or are graphs of others."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-22T03:20:00"
VERSION = "1.38.0"
DESCRIPTION = "job contracts, licences of templates, graphs of templates"

STATEMENTS = (
    """CREATE TABLE job_contracts (
        pk {serial}, name VARCHAR(64) NOT NULL UNIQUE, pkg VARCHAR(64) NOT NULL,
        cls VARCHAR(256) NOT NULL UNIQUE)""",
    "ALTER TABLE job_templates ADD COLUMN graph TEXT",
    # Until now no template could have one.
    "ALTER TABLE job_templates DROP COLUMN licence",
    "ALTER TABLE job_templates ADD COLUMN licence BIGINT REFERENCES licences (pk)",
    "CREATE INDEX job_templates_licence ON job_templates (licence) WHERE licence IS NOT NULL",
    """CREATE TABLE template_children (
        template BIGINT NOT NULL REFERENCES job_templates (pk) ON DELETE CASCADE,
        child BIGINT NOT NULL REFERENCES job_templates (pk), PRIMARY KEY (template, child))""",
    "CREATE INDEX template_children_child ON template_children (child)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=STATEMENTS))

    manager.add_raw(run)
    return manager
