"""The ledger's batch on SQLite: one hop to the writer's thread, one transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec.structs import astuple

from orm.queries import audit, slots
from orm.queries.batch import (
    CHANGING,
    EVENT_COLUMNS,
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
    Loaded,
    Needs,
    Plan,
    Writes,
    copies,
    marks,
    may_return,
    needs_outputs,
    values,
    waiting,
)
from orm.rows import JobRow, OutputRow, SpecRow
from orm.sqlite import EmbeddedEngine

INSERT_JOB = f"INSERT INTO jobs ({', '.join(JOB_COLUMNS)}) VALUES ({marks(len(JOB_COLUMNS))})"
INSERT_SPEC = (
    f"INSERT INTO job_specs ({', '.join(SPEC_COLUMNS)}) VALUES ({marks(len(SPEC_COLUMNS))})"
)
INSERT_EVENT = (
    f"INSERT INTO events ({', '.join(EVENT_COLUMNS)}) VALUES ({marks(len(EVENT_COLUMNS))})"
)
CHANGE_JOB = f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE pk = ?"
REPORT_JOB = f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in REPORTED)} WHERE pk = ?"
PUT_OUTPUT = (
    f"INSERT INTO outputs ({', '.join(OUTPUT_COLUMNS)}) VALUES ({marks(len(OUTPUT_COLUMNS))}) "
    "ON CONFLICT (pk) DO UPDATE SET deleted_us = excluded.deleted_us"
)

PUT_EXECUTION = (
    f"INSERT INTO executions ({', '.join(EXECUTION_COLUMNS)}) "
    f"VALUES ({marks(len(EXECUTION_COLUMNS))}) "
    f"ON CONFLICT ({', '.join(EXECUTION_KEY)}) DO UPDATE SET {EXECUTION_MOVED}"
)


class SqliteBatches:
    """``BatchStore`` on the embedded engine's writer."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine

    async def run(self, needs: Needs, plan: Plan) -> int:
        """Load, plan, write and commit one batch in the writer's thread."""

        def work(raw: sqlite3.Connection) -> int:
            raw.execute("BEGIN IMMEDIATE")
            try:
                head = write(raw, plan(load(raw, needs)))
                raw.execute("COMMIT")
            except BaseException:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
                raise
            return head

        async with self._engine.write_turn:
            return await self._engine.writer.run(work)


def load(raw: sqlite3.Connection, needs: Needs) -> Loaded:
    """Read what the batch needs; nobody else can write meanwhile."""
    rows = raw.execute(f"{JOBS} WHERE pk IN ({marks(len(needs.jobs))})", needs.jobs).fetchall()
    if needs.slots_of:
        rows += _slots(raw, needs.slots_of)
    jobs = [JobRow(*row) for row in rows]
    jobs += [JobRow(*row) for row in _slots(raw, may_return(jobs))]
    jobs += _graphs(raw, jobs)
    seen = {*needs.outputs_of, *(row.pk for row in jobs if needs_outputs(row))}
    outputs = _outputs(raw, seen)
    new_outputs = needs.new_outputs + copies(jobs, outputs, needs)
    return Loaded(
        jobs=jobs,
        outputs=outputs,
        parents=_parents(raw, needs.children_of),
        nodes=_nodes(raw, needs.slots_of),
        fresh_jobs=_fresh(raw, "jobs", needs.new_jobs),
        fresh_outputs=_fresh(raw, "outputs", new_outputs),
        now_us=None,
        specs=_specs(raw, waiting(jobs)),
    )


def _slots(raw: sqlite3.Connection, nodes: Sequence[int]) -> list[Any]:
    if not nodes:
        return []
    sql = slots.of_nodes("sqlite", ", ".join(JOB_COLUMNS), len(nodes))
    return raw.execute(sql, nodes).fetchall()


def _graphs(raw: sqlite3.Connection, jobs: Sequence[JobRow]) -> list[JobRow]:
    roots = {row.root for row in jobs if row.root is not None}
    if not roots:
        return []
    there = {row.pk for row in jobs}
    rows = raw.execute(f"{JOBS} WHERE root IN ({marks(len(roots))})", tuple(roots))
    return [row for row in (JobRow(*values) for values in rows) if row.pk not in there]


def _specs(raw: sqlite3.Connection, pks: list[int]) -> list[SpecRow]:
    if not pks:
        return []
    return [SpecRow(*row) for row in raw.execute(f"{SPECS} WHERE pk IN ({marks(len(pks))})", pks)]


def _outputs(raw: sqlite3.Connection, jobs: set[int]) -> list[OutputRow]:
    if not jobs:
        return []
    sql = f"{OUTPUTS} WHERE job IN ({marks(len(jobs))}) ORDER BY pk"
    return [OutputRow(*row) for row in raw.execute(sql, tuple(jobs))]


def _parents(raw: sqlite3.Connection, jobs: tuple[int, ...]) -> list[int]:
    if not jobs:
        return []
    sql = f"SELECT DISTINCT parent FROM jobs WHERE parent IN ({marks(len(jobs))})"
    return [row[0] for row in raw.execute(sql, jobs)]


def _nodes(raw: sqlite3.Connection, pks: tuple[int, ...]) -> list[int]:
    if not pks:
        return []
    sql = f"SELECT pk FROM nodes WHERE pk IN ({marks(len(pks))})"
    return [row[0] for row in raw.execute(sql, pks)]


def _fresh(raw: sqlite3.Connection, table: str, count: int) -> range:
    """Numbers after the highest ever given: AUTOINCREMENT keeps it, also when rows are removed."""
    if not count:
        return range(0)
    found = raw.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    last = found[0] if found else 0
    return range(last + 1, last + 1 + count)


def write(raw: sqlite3.Connection, writes: Writes) -> int:
    """Write everything and return the number of the newest event."""
    if writes.reported:
        rows = [(*values(row, REPORTED), row.pk) for row in writes.reported]
        raw.executemany(REPORT_JOB, rows)
    if writes.created:
        raw.executemany(INSERT_JOB, map(astuple, writes.created))
        raw.executemany(INSERT_SPEC, map(astuple, writes.specs))
    if writes.filled:
        filled = [(spec.inputs, spec.pk) for spec in writes.filled.values()]
        raw.executemany("UPDATE job_specs SET inputs = ? WHERE pk = ?", filled)
    if writes.changed:
        raw.executemany(CHANGE_JOB, [(*values(row, CHANGING), row.pk) for row in writes.changed])
    if writes.executions:
        raw.executemany(PUT_EXECUTION, map(astuple, writes.executions.values()))
    _write_outputs(raw, writes)
    return _log(raw, writes)


def _write_outputs(raw: sqlite3.Connection, writes: Writes) -> None:
    if writes.outputs:
        raw.executemany(PUT_OUTPUT, map(astuple, writes.outputs))
    if writes.outputs_removed:
        raw.executemany(
            "DELETE FROM outputs WHERE pk = ?", [(pk,) for pk in writes.outputs_removed]
        )
    if writes.erased:
        gone = [(pk,) for pk in writes.erased]
        raw.executemany("DELETE FROM executions WHERE job = ?", gone)
        raw.executemany("DELETE FROM job_specs WHERE pk = ?", gone)
        raw.executemany("DELETE FROM jobs WHERE pk = ?", gone)
        raw.executemany("UPDATE events SET type = 'void', data = '{}' WHERE job = ?", gone)


def _log(raw: sqlite3.Connection, writes: Writes) -> int:
    sql = "UPDATE hub_meta SET gseq = gseq + ? WHERE pk = 1 RETURNING gseq"
    count = len(writes.drafts)
    if not count and not writes.audits:
        return int(raw.execute("SELECT gseq FROM hub_meta WHERE pk = 1").fetchone()[0])
    head = int(raw.execute(sql, (count,)).fetchone()[0])
    first = head - count + 1
    raw.executemany(INSERT_EVENT, [(first + n, *astuple(d)) for n, d in enumerate(writes.drafts)])
    audit.append_sqlite(raw, writes.audits, writes.now_us)
    return head
