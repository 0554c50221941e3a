"""Leases that expire, executions, graphs of jobs."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-22T03:00:00"
VERSION = "1.38.0"
DESCRIPTION = "leases that expire, executions, graphs of jobs"

COLUMNS = (
    "ALTER TABLE hub_meta ADD COLUMN swept_us BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN root BIGINT",
    "ALTER TABLE jobs ADD COLUMN child TEXT",
    "ALTER TABLE jobs ADD COLUMN children INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN lease_expires_us BIGINT",
    "ALTER TABLE jobs ADD COLUMN suspect_us BIGINT",
    "ALTER TABLE jobs ADD COLUMN deadline_us BIGINT",
    "ALTER TABLE jobs ADD COLUMN lost_run TEXT",
    "ALTER TABLE jobs ADD COLUMN silence_s INTEGER NOT NULL DEFAULT 3600",
    "ALTER TABLE jobs ADD COLUMN timeout_s BIGINT",
    "ALTER TABLE jobs ADD COLUMN error_name VARCHAR(64)",
    "ALTER TABLE job_specs ADD COLUMN wires TEXT",
)

EXECUTIONS = (
    """CREATE TABLE executions (
        pk {serial}, job BIGINT NOT NULL, number INTEGER NOT NULL, attempt INTEGER NOT NULL, node BIGINT,
        queued_us BIGINT NOT NULL, granted_us BIGINT, start_us BIGINT, end_us BIGINT,
        outcome VARCHAR(10) CHECK (outcome IN ('completed', 'failed', 'released', 'lost', 'superseded',
        'canceled', 'aborted')), error TEXT, error_name VARCHAR(64), UNIQUE (job, number))""",
)

INDEXES = (
    "CREATE INDEX jobs_root ON jobs (root) WHERE root IS NOT NULL",
    "CREATE UNIQUE INDEX jobs_child ON jobs (parent, child) WHERE parent IS NOT NULL",
    "CREATE INDEX jobs_leases ON jobs (lease_expires_us) WHERE lease_expires_us IS NOT NULL",
    "CREATE INDEX jobs_deadlines ON jobs (deadline_us) WHERE deadline_us IS NOT NULL",
)

# What is known of older jobs: their last execution. A held one is looked at within an hour.
KNOWN = (
    """INSERT INTO executions (job, number, attempt, node, queued_us, granted_us, start_us, end_us,
        outcome, error) SELECT pk, num_exes, attempt, node, queued_us, lease_granted_us, start_us,
        COALESCE(end_us, canceled_us), CASE status WHEN 'COMPLETED' THEN 'completed' WHEN 'FAILED'
        THEN 'failed' WHEN 'CANCELED' THEN 'canceled' END, error FROM jobs""",
    """UPDATE jobs SET lease_expires_us = COALESCE(last_contact_us, modified_us) + 3600000000
        WHERE status IN ('ACQUIRED', 'RUNNING')""",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=COLUMNS + EXECUTIONS + INDEXES + KNOWN))

    manager.add_raw(run)
    return manager
