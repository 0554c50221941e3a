"""The ledger's batch on PostgreSQL: rows locked in pk order, then one statement a table.

Rows travel as one array a column (``unnest``), so a statement's cost does not grow with its text.
"""

from collections.abc import Sequence
from typing import Any

import asyncpg
from msgspec.structs import astuple

from orm.errors import translated
from orm.postgres import ServerEngine, Transaction
from orm.queries import audit
from orm.queries.batch import (
    CHANGING,
    JOB_COLUMNS,
    OUTPUT_COLUMNS,
    OUTPUTS,
    REPORTED,
    Draft,
    Loaded,
    Needs,
    Plan,
    Writes,
    values,
)
from orm.rows import JobRow, OutputRow, SpecRow

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
REAL = {"progress": "float8"}
SMALL = frozenset({"priority", "attempt", "tries", "max_tries", "num_exes", "output_count", "n"})
TEXT = frozenset(
    {"status", "description", "labels", "former_nodes", "lease_session", "progress_data", "error"}
    | {"inputs", "parameters", "name", "type", "sha256", "kind", "from_status", "to_status", "data"}
)


def _type(column: str) -> str:
    if column in TEXT:
        return "text"
    return REAL.get(column, "int4" if column in SMALL else "int8")


def _unnest(columns: Sequence[str], first: int = 1) -> str:
    arrays = ", ".join(f"${n}::{_type(name)}[]" for n, name in enumerate(columns, first))
    return f"unnest({arrays})"


def _update(columns: Sequence[str], first: int = 1) -> str:
    names = ("pk", *columns)
    sets = ", ".join(f"{name} = u.{name}" for name in columns)
    rows = f"{_unnest(names, first)} AS u ({', '.join(names)})"
    return f"UPDATE jobs SET {sets} FROM {rows} WHERE jobs.pk = u.pk"


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM {_unnest(columns)}"


LOCK_NODES = "SELECT pk FROM nodes WHERE pk = ANY($1) ORDER BY pk FOR NO KEY UPDATE"
LOCK_JOBS = (
    f"SELECT {NOW}, {', '.join(JOB_COLUMNS)} FROM jobs WHERE pk = ANY($1) "
    "OR (slot_until_us IS NOT NULL AND node = ANY($2)) ORDER BY pk FOR UPDATE"
)
DRAFT_COLUMNS = Draft.__struct_fields__
SPEC_COLUMNS = SpecRow.__struct_fields__
# Reports are most of what happens, so their rows travel with the log: one round trip less.
LOG = (
    f"WITH reported AS ({_update(REPORTED, first=2 + len(DRAFT_COLUMNS))}), "
    "clock AS (UPDATE hub_meta SET gseq = gseq + $1 WHERE pk = 1 RETURNING gseq), "
    f"logged AS (INSERT INTO events (gseq, {', '.join(DRAFT_COLUMNS)}) "
    f"SELECT clock.gseq - $1 + e.nth, {', '.join(f'e.{name}' for name in DRAFT_COLUMNS)} "
    f"FROM clock, {_unnest(DRAFT_COLUMNS, 2)} "
    f"WITH ORDINALITY AS e ({', '.join(DRAFT_COLUMNS)}, nth)) "
    "SELECT gseq FROM clock"
)
INSERT_JOBS = _insert("jobs", JOB_COLUMNS)
INSERT_SPECS = _insert("job_specs", SPEC_COLUMNS)
CHANGE_JOBS = _update(CHANGING)
REPORT_JOBS = _update(REPORTED)
PUT_OUTPUTS = (
    _insert("outputs", OUTPUT_COLUMNS)
    + " ON CONFLICT (pk) DO UPDATE SET deleted_us = excluded.deleted_us"
)


def _columns(rows: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    """Turn rows into one list a column."""
    if not rows:
        return [[] for _ in names]
    return [list(column) for column in zip(*(values(row, names) for row in rows), strict=True)]


class PostgresBatches:
    """``BatchStore`` on the pool."""

    def __init__(self, engine: ServerEngine) -> None:
        self._engine = engine

    async def run(self, needs: Needs, plan: Plan) -> int:
        """Load, plan, write and commit one batch in one transaction."""
        with translated():
            async with self._engine.transaction() as transaction:
                loaded = await load(transaction, needs)
                return await write(transaction, plan(loaded))


async def load(transaction: Transaction, needs: Needs) -> Loaded:
    """Read and lock what the batch needs.

    Nodes are locked before jobs, so that two processes cannot both give one node's only slot away.
    """
    fetch = transaction.connection.fetch
    nodes = await fetch(LOCK_NODES, needs.slots_of) if needs.slots_of else []
    rows = await fetch(LOCK_JOBS, needs.jobs, needs.slots_of) if needs.jobs else []
    jobs = [JobRow(*tuple(row)[1:]) for row in rows]
    with_outputs = {*needs.outputs_of, *(row.pk for row in jobs if row.output_count)}
    fresh_jobs = await _fresh(transaction, "jobs", needs.new_jobs)
    # One clock for all processes, so not a hub's: with what is read anyway, or asked for alone.
    timed = rows or fresh_jobs or await fetch(f"SELECT {NOW}")
    return Loaded(
        jobs=jobs,
        outputs=await _outputs(transaction, with_outputs),
        parents=await _parents(transaction, needs.children_of),
        nodes=[row[0] for row in nodes],
        fresh_jobs=[row[1] for row in fresh_jobs],
        fresh_outputs=[row[1] for row in await _fresh(transaction, "outputs", needs.new_outputs)],
        now_us=timed[0][0],
    )


async def _outputs(transaction: Transaction, jobs: set[int]) -> list[OutputRow]:
    if not jobs:
        return []
    sql = f"{OUTPUTS} WHERE job = ANY($1) ORDER BY pk"
    return [OutputRow(*row) for row in await transaction.connection.fetch(sql, list(jobs))]


async def _parents(transaction: Transaction, jobs: tuple[int, ...]) -> list[int]:
    if not jobs:
        return []
    sql = "SELECT DISTINCT parent FROM jobs WHERE parent = ANY($1)"
    return [row[0] for row in await transaction.connection.fetch(sql, jobs)]


async def _fresh(transaction: Transaction, table: str, count: int) -> list[asyncpg.Record]:
    """Return the time, and a number, ``count`` times."""
    if not count:
        return []
    sql = f"SELECT {NOW}, nextval('{table}_pk_seq') FROM generate_series(1, $1)"
    return list(await transaction.connection.fetch(sql, count))


async def write(transaction: Transaction, writes: Writes) -> int:
    """Write everything, the clock row last, and return the number of the newest event."""
    fetch = transaction.connection.fetch
    if writes.created:
        await fetch(INSERT_JOBS, *_columns(writes.created, JOB_COLUMNS))
        await fetch(INSERT_SPECS, *_columns(writes.specs, SPEC_COLUMNS))
    if writes.changed:
        await fetch(CHANGE_JOBS, *_columns(writes.changed, ("pk", *CHANGING)))
    await _write_outputs(transaction, writes)
    return await _log(transaction, writes)


async def _write_outputs(transaction: Transaction, writes: Writes) -> None:
    fetch = transaction.connection.fetch
    if writes.outputs:
        await fetch(PUT_OUTPUTS, *_columns(writes.outputs, OUTPUT_COLUMNS))
    if writes.outputs_removed:
        await fetch("DELETE FROM outputs WHERE pk = ANY($1)", writes.outputs_removed)
    if writes.erased:
        await fetch("DELETE FROM job_specs WHERE pk = ANY($1)", writes.erased)
        await fetch("DELETE FROM jobs WHERE pk = ANY($1)", writes.erased)
        await fetch(
            "UPDATE events SET type = 'void', data = '{}' WHERE job = ANY($1)", writes.erased
        )


async def _log(transaction: Transaction, writes: Writes) -> int:
    reports = _columns(writes.reported, ("pk", *REPORTED))
    if not writes.drafts:
        if writes.reported:
            await transaction.connection.fetch(REPORT_JOBS, *reports)
        await audit.append(transaction, writes.audits, writes.now_us)
        return int(await transaction.connection.fetchval("SELECT gseq FROM hub_meta WHERE pk = 1"))
    drafts = [list(column) for column in zip(*map(astuple, writes.drafts), strict=True)]
    head = await transaction.connection.fetchval(LOG, len(writes.drafts), *drafts, *reports)
    await audit.append(transaction, writes.audits, writes.now_us)
    return int(head)
