"""Nodes, and which account they belong to."""

from collections.abc import Mapping

from orm.engine import Engine
from orm.queries import slots
from orm.queries.accounts import Source
from orm.queries.batch import marks
from orm.queries.batch_postgres import NOW
from orm.queries.shelf import KeptRow, Shelf
from orm.tables import Node


class NodeRow(KeptRow, frozen=True):
    """A node as it is stored."""

    owner: int
    ip: str
    index: int
    driver_version: str | None
    hardware_generation: int | None
    gpu_mem: int | None
    cpu_mem: int
    created_us: int
    last_seen_us: int | None


NODES = Shelf(Node, NodeRow, used_by="SELECT 1 FROM jobs WHERE node = ? LIMIT 1")

_WORKING = "AND status IN ('RUNNING', 'CANCELED') GROUP BY node"

_HELD = "AND status IN ('ACQUIRED', 'RUNNING')"
_MAY_RETURN = """
SELECT pk FROM jobs WHERE status = 'QUEUED' AND deleted_us IS NULL AND lost_run IS NOT NULL
AND (former_nodes = ? OR former_nodes LIKE ?)"""

SEEN_AT_ONCE = 500
LOCK = "SELECT pk FROM nodes WHERE pk IN ({marks}) ORDER BY pk"
SEEN = """
UPDATE nodes SET last_seen_us = {now} - CASE pk {cases}END WHERE pk IN ({marks})
RETURNING pk, last_seen_us"""


async def owner(engine: Engine, pk: int) -> int | None:
    """Return the account that node ``pk`` belongs to."""
    rows = await engine.fetch("SELECT owner FROM nodes WHERE pk = ?", (pk,))
    return int(rows[0][0]) if rows else None


async def all_of_them(engine: Engine, most: int) -> list[NodeRow]:
    """Return the first ``most`` nodes, by their numbers."""
    columns = ", ".join(f'"{name}"' for name in NodeRow.__struct_fields__)
    rows = await engine.fetch(f"SELECT {columns} FROM nodes ORDER BY pk LIMIT ?", (most,))
    return [NodeRow(*row) for row in rows]


async def current_jobs(engine: Engine, pks: list[int]) -> dict[int, int]:
    """Return node -> its job, running or canceled and not given up yet; idle ones are left out."""
    if not pks:
        return {}
    sql = slots.of_nodes(engine.kind, "node, min(pk)", len(pks), more=_WORKING)
    return dict(await engine.fetch(sql, tuple(pks)))


async def unfinished_job(source: Source, kind: str, pk: int) -> int | None:
    """Return a job that node ``pk`` holds, or whose lost run it may go on with; ``None``: neither.

    In one statement: a job may go from one to the other in between.
    """
    sql = f"{slots.of_nodes(kind, 'pk', 1, more=_HELD)} UNION ALL {_MAY_RETURN} LIMIT 1"
    rows = await source.fetch(sql, (pk, str(pk), f"%,{pk}"))
    return int(rows[0][0]) if rows else None


async def seen(engine: Engine, ago_us: Mapping[int, int], wall_us: int) -> dict[int, int]:
    """Store when nodes were last heard of, by the database's clock where it has one.

    Args:
        engine: The database.
        ago_us: Node -> how many microseconds ago; one statement stores many.
        wall_us: The hub's clock.

    Returns:
        Node -> the time that was stored; nodes that are not there are left out.
    """
    stored: dict[int, int] = {}
    pks = sorted(ago_us)
    now, now_us = ("?", (wall_us,)) if engine.kind == "sqlite" else (NOW, ())
    for first in range(0, len(pks), SEEN_AT_ONCE):
        some = pks[first : first + SEEN_AT_ONCE]
        cases = "WHEN ? THEN CAST(? AS BIGINT) " * len(some)
        sql = SEEN.format(now=now, cases=cases, marks=marks(len(some)))
        values = [value for pk in some for value in (pk, ago_us[pk])]
        async with engine.transaction() as transaction:
            # In the order of the batches, which lock nodes, too.
            await transaction.fetch(
                LOCK.format(marks=marks(len(some))) + transaction.row_lock, some
            )
            stored.update(await transaction.fetch(sql, (*now_us, *values, *some)))
    return stored
