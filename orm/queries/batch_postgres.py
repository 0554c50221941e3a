"""The ledger's batch on PostgreSQL: rows locked in pk order, then one statement a table.

Rows travel as one array a column (``unnest``), so a statement's cost does not grow with its text.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import asyncpg
import msgspec

from orm.errors import translated
from orm.postgres import ServerEngine, Transaction
from orm.queries import audit
from orm.queries.batch import (
    CHANGING,
    EXECUTION_COLUMNS,
    EXECUTION_KEY,
    EXECUTION_MOVED,
    JOB_COLUMNS,
    JOBS,
    OUTPUT_COLUMNS,
    OUTPUTS,
    REPORTED,
    SPEC_COLUMNS,
    SPECS,
    Draft,
    Loaded,
    Needs,
    Plan,
    Writes,
    copies,
    may_return,
    needs_outputs,
    values,
    waiting,
)
from orm.rows import JobRow, OutputRow, SpecRow

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
REAL = {"progress": "float8"}
SMALL = frozenset(
    {"priority", "attempt", "tries", "max_tries", "num_exes", "output_count", "n"}
    | {"children", "silence_s", "number"}
)
TEXT = frozenset(
    {"status", "description", "labels", "former_nodes", "lease_session", "progress_data", "error"}
    | {"child", "lost_run", "error_name", "outcome", "inputs", "parameters", "wires"}
    | {"notifications", "name", "type", "sha256", "kind", "from_status", "to_status", "data"}
)


def _type(column: str) -> str:
    if column in TEXT:
        return "text"
    return REAL.get(column, "int4" if column in SMALL else "int8")


def _unnest(columns: Sequence[str], first: int) -> str:
    arrays = ", ".join(f"${n}::{_type(name)}[]" for n, name in enumerate(columns, first))
    return f"unnest({arrays})"


LOCK_NODES = "SELECT pk FROM nodes WHERE pk = ANY($1) ORDER BY pk FOR NO KEY UPDATE"
ASKED = "(pk = ANY($1) OR (slot_until_us IS NOT NULL AND node = ANY($2)))"
ROOTS = f"ARRAY(SELECT root FROM jobs WHERE {ASKED})"
LOCK_JOBS = (
    f"SELECT {NOW}, {', '.join(JOB_COLUMNS)} FROM jobs WHERE {ASKED} "
    f"OR (root IS NOT NULL AND root = ANY({ROOTS})) ORDER BY pk FOR UPDATE"
)
# Not locked: a sequential node does not take a job while it reports on another one.
SLOTS = f"{JOBS} WHERE slot_until_us IS NOT NULL AND node = ANY($1)"
DRAFT_COLUMNS = Draft.__struct_fields__
EVENTS = ", ".join(DRAFT_COLUMNS)


class Part(msgspec.Struct, frozen=True):
    """Rows of one kind that a batch writes: one array a column, and what becomes of them.

    ``{rows}`` in ``sql`` stands for the arrays as a table, ``{names}`` for its columns.
    """

    sql: str
    columns: tuple[str, ...]

    def statement(self, first: int) -> str:
        """Return the statement, its arrays being the arguments from number ``first`` on."""
        names = ", ".join(self.columns)
        return self.sql.format(rows=_unnest(self.columns, first), names=names)


def _update(table: str, columns: tuple[str, ...]) -> Part:
    sets = ", ".join(f"{name} = u.{name}" for name in columns)
    sql = f"UPDATE {table} SET {sets} FROM {{rows}} AS u ({{names}}) WHERE {table}.pk = u.pk"
    return Part(sql, ("pk", *columns))


def _insert(table: str, columns: tuple[str, ...], conflict: str = "") -> Part:
    return Part(f"INSERT INTO {table} ({{names}}) SELECT * FROM {{rows}} {conflict}", columns)


PARTS = {
    "created": _insert("jobs", JOB_COLUMNS),
    "specs": _insert("job_specs", SPEC_COLUMNS),
    "filled": _update("job_specs", ("inputs",)),
    "changed": _update("jobs", CHANGING),
    "reported": _update("jobs", REPORTED),
    "executions": _insert(
        "executions",
        EXECUTION_COLUMNS,
        f"ON CONFLICT ({', '.join(EXECUTION_KEY)}) DO UPDATE SET {EXECUTION_MOVED}",
    ),
    "outputs": _insert(
        "outputs",
        OUTPUT_COLUMNS,
        "ON CONFLICT (pk) DO UPDATE SET deleted_us = excluded.deleted_us",
    ),
}
"""What travels in the one statement that writes a batch, by the name of its list in ``Writes``."""

CLOCK = "UPDATE hub_meta SET gseq = gseq + $1 WHERE pk = 1 RETURNING gseq"
LOGGED = (
    f"INSERT INTO events (gseq, {EVENTS}) "
    f"SELECT clock.gseq - $1 + e.nth, {', '.join(f'e.{name}' for name in DRAFT_COLUMNS)} "
    f"FROM clock, {_unnest(DRAFT_COLUMNS, 2)} WITH ORDINALITY AS e ({EVENTS}, nth)"
)


@lru_cache(maxsize=128)
def statement(parts: tuple[str, ...]) -> str:
    """Return the statement that writes ``parts`` and the log and gives the newest number.

    Its arguments: how many events there are, the events, then the parts in their order.
    """
    written = []
    first = 2 + len(DRAFT_COLUMNS)
    for name in parts:
        written.append(f"{name} AS ({PARTS[name].statement(first)})")
        first += len(PARTS[name].columns)
    return (
        f"WITH {''.join(f'{part}, ' for part in written)}"
        f"clock AS ({CLOCK}), logged AS ({LOGGED}) SELECT gseq FROM clock"
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
    if returning := may_return(jobs):
        jobs += [JobRow(*row) for row in await fetch(SLOTS, returning)]
    seen = {*needs.outputs_of, *(row.pk for row in jobs if needs_outputs(row))}
    outputs = await _outputs(transaction, seen)
    fresh_jobs = await _fresh(transaction, "jobs", needs.new_jobs)
    # One clock for all processes, so not a hub's: with what is read anyway, or asked for alone.
    timed = rows or fresh_jobs or await fetch(f"SELECT {NOW}")
    new_outputs = needs.new_outputs + copies(jobs, outputs, needs)
    return Loaded(
        jobs=jobs,
        outputs=outputs,
        parents=await _parents(transaction, needs.children_of),
        nodes=[row[0] for row in nodes],
        fresh_jobs=[row[1] for row in fresh_jobs],
        fresh_outputs=[row[1] for row in await _fresh(transaction, "outputs", new_outputs)],
        now_us=timed[0][0],
        specs=await _specs(transaction, waiting(jobs)),
    )


async def _specs(transaction: Transaction, pks: list[int]) -> list[SpecRow]:
    if not pks:
        return []
    sql = f"{SPECS} WHERE pk = ANY($1)"
    return [SpecRow(*row) for row in await transaction.connection.fetch(sql, pks)]


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
    """Write everything and return the number of the newest event.

    All rows and the log travel in one statement: a round trip costs more than what it writes.
    """
    await _remove(transaction, writes)
    rows = {name: _listed(getattr(writes, name)) for name in PARTS}
    present = tuple(name for name, found in rows.items() if found)
    if not present and not writes.drafts and not writes.audits:
        return int(await transaction.connection.fetchval("SELECT gseq FROM hub_meta WHERE pk = 1"))
    arrays = [a for name in present for a in _columns(rows[name], PARTS[name].columns)]
    drafts = _columns(writes.drafts, DRAFT_COLUMNS)
    head = await transaction.connection.fetchval(
        statement(present), len(writes.drafts), *drafts, *arrays
    )
    await audit.append(transaction, writes.audits, writes.now_us)
    return int(head)


def _listed(rows: list[Any] | dict[Any, Any]) -> list[Any]:
    return list(rows.values()) if isinstance(rows, dict) else rows


async def _remove(transaction: Transaction, writes: Writes) -> None:
    fetch = transaction.connection.fetch
    if writes.outputs_removed:
        await fetch("DELETE FROM outputs WHERE pk = ANY($1)", writes.outputs_removed)
    if writes.erased:
        await fetch("DELETE FROM executions WHERE job = ANY($1)", writes.erased)
        await fetch("DELETE FROM job_specs WHERE pk = ANY($1)", writes.erased)
        await fetch("DELETE FROM jobs WHERE pk = ANY($1)", writes.erased)
        await fetch(
            "UPDATE events SET type = 'void', data = '{}' WHERE job = ANY($1)", writes.erased
        )
