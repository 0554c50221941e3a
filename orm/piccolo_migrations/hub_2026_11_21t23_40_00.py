"""The first schema. Written as SQL: Piccolo's auto migrations cannot make partial indexes or checks."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl

ID = "2026-11-21T23:40:00"
VERSION = "1.38.0"
DESCRIPTION = "accounts, nodes, templates, jobs, outputs, the log and its clock row"

STATUSES = "'PENDING','BLOCKED','QUEUED','ACQUIRED','RUNNING','COMPLETED','FAILED','CANCELED'"

TABLES = (
    """CREATE TABLE hub_meta (
        pk {row_number} PRIMARY KEY CHECK (pk = 1), epoch VARCHAR(32) NOT NULL, gseq BIGINT NOT NULL,
        floor BIGINT NOT NULL, compact_floor BIGINT NOT NULL, audit_hash VARCHAR(64) NOT NULL,
        created_us BIGINT NOT NULL)""",
    """CREATE TABLE users (
        pk {serial}, username VARCHAR(150) NOT NULL UNIQUE, password_hash VARCHAR(255) NOT NULL,
        role VARCHAR(10) NOT NULL CHECK (role IN ('admin', 'user', 'viewer')),
        first_name VARCHAR(150) NOT NULL DEFAULT '', last_name VARCHAR(150) NOT NULL DEFAULT '',
        email VARCHAR(254) NOT NULL DEFAULT '', joined_us BIGINT NOT NULL, last_login_us BIGINT,
        disabled_us BIGINT, has_short_password INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE tokens (
        pk {serial}, kind VARCHAR(10) NOT NULL CHECK (kind IN ('access', 'refresh', 'api')),
        sha256 VARCHAR(64) NOT NULL UNIQUE, account BIGINT NOT NULL REFERENCES users (pk),
        session VARCHAR(32) NOT NULL, name VARCHAR(100) NOT NULL DEFAULT '', created_us BIGINT NOT NULL,
        expires_us BIGINT, revoked_us BIGINT)""",
    """CREATE TABLE audit (
        pk {serial}, time_us BIGINT NOT NULL, actor BIGINT, session VARCHAR(32), address VARCHAR(64),
        action VARCHAR(64) NOT NULL, object_type VARCHAR(32) NOT NULL, object_pk BIGINT, before TEXT,
        after TEXT, hash VARCHAR(64) NOT NULL)""",
    """CREATE TABLE hardware (
        pk {serial}, generation VARCHAR(32) NOT NULL UNIQUE,
        min_compute_capability DOUBLE PRECISION NOT NULL,
        max_compute_capability DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE nodes (
        pk {serial}, owner BIGINT NOT NULL REFERENCES users (pk), ip VARCHAR(39) NOT NULL,
        "index" INTEGER NOT NULL, driver_version VARCHAR(16),
        hardware_generation BIGINT REFERENCES hardware (pk), gpu_mem BIGINT, cpu_mem BIGINT NOT NULL,
        created_us BIGINT NOT NULL, last_seen_us BIGINT, UNIQUE (ip, "index"))""",
    """CREATE TABLE job_types (
        pk {serial}, name VARCHAR(64) NOT NULL UNIQUE, pkg VARCHAR(64) NOT NULL,
        cls VARCHAR(256) NOT NULL UNIQUE)""",
    """CREATE TABLE job_templates (
        pk {serial}, name VARCHAR(200) NOT NULL, version INTEGER NOT NULL CHECK (version >= 1),
        description TEXT NOT NULL, scope VARCHAR(16) NOT NULL, domain VARCHAR(2), licence VARCHAR(100),
        contract VARCHAR(256) NOT NULL, creator BIGINT, created_us BIGINT NOT NULL, deleted_us BIGINT,
        executor_class VARCHAR(128), required_packages TEXT NOT NULL, inputs TEXT NOT NULL,
        parameters TEXT NOT NULL, outputs TEXT NOT NULL, labels TEXT NOT NULL, requirements TEXT NOT NULL,
        timeout_s BIGINT, max_tries INTEGER NOT NULL, priority INTEGER NOT NULL)""",
    f"""CREATE TABLE jobs (
        pk {{serial}}, template BIGINT NOT NULL REFERENCES job_templates (pk),
        status VARCHAR(10) NOT NULL CHECK (status IN ({STATUSES})), priority INTEGER NOT NULL,
        description TEXT NOT NULL, labels TEXT NOT NULL, creator BIGINT, parent BIGINT,
        seq BIGINT NOT NULL, tseq BIGINT NOT NULL, attempt INTEGER NOT NULL, tries INTEGER NOT NULL,
        max_tries INTEGER NOT NULL, num_exes INTEGER NOT NULL, node BIGINT, former_nodes TEXT NOT NULL,
        lease_session VARCHAR(32), lease_granted_us BIGINT, last_contact_us BIGINT, slot_until_us BIGINT,
        progress DOUBLE PRECISION NOT NULL CHECK (progress >= 0 AND progress <= 1), progress_data TEXT,
        output_count INTEGER NOT NULL, error TEXT, created_us BIGINT NOT NULL, queued_us BIGINT NOT NULL,
        start_us BIGINT, end_us BIGINT, canceled_us BIGINT, modified_us BIGINT NOT NULL,
        deleted_us BIGINT)""",
    """CREATE TABLE job_specs (
        pk {row_number} PRIMARY KEY, inputs TEXT NOT NULL, parameters TEXT NOT NULL)""",
    """CREATE TABLE outputs (
        pk {serial}, job BIGINT NOT NULL, attempt INTEGER NOT NULL, name VARCHAR(200) NOT NULL,
        type VARCHAR(1024) NOT NULL, sha256 VARCHAR(64) NOT NULL, size BIGINT NOT NULL, creator BIGINT,
        created_us BIGINT NOT NULL, deleted_us BIGINT)""",
    """CREATE TABLE events (
        gseq {row_number} PRIMARY KEY, job BIGINT NOT NULL, seq BIGINT NOT NULL, tseq BIGINT NOT NULL,
        kind VARCHAR(1) NOT NULL, type VARCHAR(16) NOT NULL, time_us BIGINT NOT NULL,
        from_status VARCHAR(10), to_status VARCHAR(10), attempt INTEGER NOT NULL, node BIGINT,
        progress DOUBLE PRECISION NOT NULL, n INTEGER NOT NULL, data TEXT NOT NULL)""",
)

INDEXES = (
    "CREATE INDEX tokens_account ON tokens (account, session)",
    "CREATE INDEX tokens_expiry ON tokens (expires_us) WHERE expires_us IS NOT NULL",
    "CREATE UNIQUE INDEX job_templates_active ON job_templates (name, version) WHERE deleted_us IS NULL",
    "CREATE INDEX jobs_queue ON jobs (priority, pk) WHERE status = 'QUEUED' AND deleted_us IS NULL",
    "CREATE INDEX jobs_slots ON jobs (node) WHERE slot_until_us IS NOT NULL",
    "CREATE INDEX jobs_status ON jobs (status, pk)",
    "CREATE INDEX jobs_template ON jobs (template, pk)",
    "CREATE INDEX jobs_creator ON jobs (creator, pk)",
    "CREATE INDEX jobs_node ON jobs (node, pk) WHERE node IS NOT NULL",
    "CREATE INDEX jobs_modified ON jobs (modified_us, pk)",
    "CREATE INDEX jobs_parent ON jobs (parent) WHERE parent IS NOT NULL",
    "CREATE UNIQUE INDEX outputs_active ON outputs (job, attempt, name, type) WHERE deleted_us IS NULL",
    "CREATE INDEX outputs_job ON outputs (job)",
    "CREATE INDEX outputs_bytes ON outputs (sha256)",
    "CREATE INDEX events_job ON events (job, gseq)",
)

# Nobody may rewrite the audit, not even a later piece of this program.
AUDIT_LOCK_SQLITE = (
    """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
       BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
    """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
       BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END""",
)
AUDIT_LOCK_POSTGRES = (
    """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'audit rows are append-only'; END $$""",
    """CREATE TRIGGER audit_locked BEFORE UPDATE OR DELETE ON audit
       FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()""",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(
            Ddl(
                both=TABLES + INDEXES,
                sqlite=AUDIT_LOCK_SQLITE,
                postgres=AUDIT_LOCK_POSTGRES,
            )
        )

    manager.add_raw(run)
    return manager
