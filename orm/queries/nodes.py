"""Nodes, and which account they belong to."""

from collections.abc import Mapping

from orm.engine import Engine
from orm.queries.batch import marks
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

CURRENT_JOBS = """
SELECT node, min(pk) FROM jobs
WHERE slot_until_us IS NOT NULL AND status IN ('RUNNING', 'CANCELED') AND node IN ({marks})
GROUP BY node"""


SEEN_AT_ONCE = 500
SEEN = "UPDATE nodes SET last_seen_us = CASE pk {cases}END WHERE pk IN ({marks})"


async def owner(engine: Engine, pk: int) -> int | None:
    """Return the account that registered node ``pk``."""
    rows = await engine.fetch("SELECT owner FROM nodes WHERE pk = ?", (pk,))
    return int(rows[0][0]) if rows else None


async def current_jobs(engine: Engine, pks: list[int]) -> dict[int, int]:
    """Return node -> its job, running or canceled and not given up yet; idle ones are left out."""
    if not pks:
        return {}
    sql = CURRENT_JOBS.replace("{marks}", marks(len(pks)))
    return dict(await engine.fetch(sql, tuple(pks)))


async def seen(engine: Engine, moments: Mapping[int, int]) -> None:
    """Store when nodes were last heard of: node -> microseconds; one statement for many."""
    pks = sorted(moments)
    for first in range(0, len(pks), SEEN_AT_ONCE):
        some = pks[first : first + SEEN_AT_ONCE]
        sql = SEEN.format(
            cases="WHEN ? THEN CAST(? AS BIGINT) " * len(some), marks=marks(len(some))
        )
        values = [value for pk in some for value in (pk, moments[pk])]
        async with engine.transaction() as transaction:
            await transaction.fetch(sql, (*values, *some))
