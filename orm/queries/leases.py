"""Leases that need a look, and the record of the last look."""

from collections.abc import Sequence

import msgspec

from orm.engine import Engine
from orm.queries import slots
from orm.queries.accounts import Transaction
from orm.queries.batch_postgres import NOW


class Due(msgspec.Struct, frozen=True):
    """A held job that must be looked at; ``seen_us`` is when its node last called."""

    job: int
    attempt: int
    seen_us: int


class Shift(msgspec.Struct, frozen=True):
    """By how much open leases move, in microseconds.

    ``silence_us`` is for how long nobody could be heard: it does not count as silence. ``jump_us``
    is by how much the clock was set, forward or (negative) back: all times move with it.
    ``grace_us`` is what every lease lasts longer on top.
    """

    silence_us: int = 0
    jump_us: int = 0
    grace_us: int = 0

    @property
    def is_none(self) -> bool:
        """Whether nothing moves."""
        return not (self.silence_us or self.jump_us or self.grace_us)


class Look(msgspec.Struct, frozen=True):
    """When the leases were looked at last, and the time on the same clock now; 0 is never.

    ``silence_us`` and ``jump_us`` are the sums of all shifts so far, by whatever process.
    """

    now_us: int
    before_us: int
    silence_us: int
    jump_us: int


_LAST_LOOK = "swept_us, missed_us, jumped_us FROM hub_meta WHERE pk = 1"
_FOUND = """
SELECT j.pk, j.attempt, COALESCE(n.last_seen_us, 0) FROM jobs j LEFT JOIN nodes n ON n.pk = j.node
WHERE """
_RUN_OUT = f"{_FOUND} j.lease_expires_us <= ? ORDER BY j.lease_expires_us LIMIT ?"
_TOO_LONG = f"{_FOUND} j.deadline_us <= ? ORDER BY j.deadline_us LIMIT ?"
_HEARD_AGAIN = f"{_FOUND} j.suspect_us IS NOT NULL AND n.last_seen_us > j.suspect_us LIMIT ?"
_IDLE = "AND status IN ('ACQUIRED', 'RUNNING') AND last_contact_us <= ?"
_OPEN = "SELECT 1 FROM jobs WHERE lease_expires_us IS NOT NULL LIMIT 1"

_TAKE_TURN = """
UPDATE hub_meta SET swept_us = ?, missed_us = missed_us + ?, jumped_us = jumped_us + ?
WHERE pk = 1 AND swept_us = ? RETURNING pk"""
_LOCK_NODES = "SELECT pk FROM nodes WHERE last_seen_us IS NOT NULL ORDER BY pk"
_LOCK_JOBS = """
SELECT pk FROM jobs WHERE lease_expires_us IS NOT NULL OR slot_until_us IS NOT NULL ORDER BY pk"""
_SHIFT_NODES = "UPDATE nodes SET last_seen_us = last_seen_us + ? WHERE last_seen_us IS NOT NULL"
# A node that was heard of in between was not silent all the time.
_MISSED = """
{most}(0, {least}(CAST(? AS BIGINT), CAST(? AS BIGINT) - COALESCE(last_contact_us, 0)))"""
_SHIFT = f"""
UPDATE jobs SET last_contact_us = last_contact_us + CAST(? AS BIGINT) + {_MISSED},
suspect_us = suspect_us + CAST(? AS BIGINT) + {_MISSED},
lease_expires_us = lease_expires_us + CAST(? AS BIGINT) + {_MISSED},
deadline_us = deadline_us + CAST(? AS BIGINT) + {_MISSED}
WHERE lease_expires_us IS NOT NULL"""
_SHIFT_SLOTS = """
UPDATE jobs SET slot_until_us = slot_until_us + ? WHERE slot_until_us IS NOT NULL
AND status NOT IN ('ACQUIRED', 'RUNNING')"""
_FUNCTIONS = {
    "sqlite": {"most": "MAX", "least": "MIN"},
    "postgres": {"most": "GREATEST", "least": "LEAST"},
}


async def last_look(engine: Engine, wall_us: int) -> Look:
    """Return when somebody looked last, and now: the database's time where it has a clock."""
    if engine.kind == "sqlite":
        (row,) = await engine.fetch(f"SELECT {_LAST_LOOK}")
        return Look(wall_us, *row)
    (row,) = await engine.fetch(f"SELECT {NOW}, {_LAST_LOOK}")
    return Look(*row)


async def has_open(engine: Engine) -> bool:
    """Whether any node holds a job."""
    return bool(await engine.fetch(_OPEN))


async def take_turn(engine: Engine, look: Look, shift: Shift) -> bool:
    """Record this look, and set leases right with it, unless another process looked meanwhile.

    Rows are locked as batches do it: nodes, then jobs, each in order, and the clock row last.

    Args:
        engine: The database.
        look: What ``last_look`` gave.
        shift: How open leases move.

    Returns:
        Whether it is this process's turn; nothing has changed if not.
    """
    async with engine.transaction() as transaction:
        if not shift.is_none:
            await _move(transaction, engine.kind, look.now_us, shift)
        turn = await transaction.fetch(
            _TAKE_TURN, (look.now_us, shift.silence_us, shift.jump_us, look.before_us)
        )
        if not turn:
            await transaction.rollback()
    return bool(turn)


async def _move(transaction: Transaction, kind: str, now_us: int, shift: Shift) -> None:
    if shift.jump_us:
        await transaction.fetch(f"{_LOCK_NODES}{transaction.row_lock}")
        await transaction.fetch(_SHIFT_NODES, (shift.jump_us,))
    await transaction.fetch(f"{_LOCK_JOBS}{transaction.row_lock}")
    missed = shift.silence_us, now_us - shift.jump_us
    moved, lasting = (shift.jump_us, *missed), (shift.jump_us + shift.grace_us, *missed)
    sql = _SHIFT.format(**_FUNCTIONS[kind])
    await transaction.fetch(sql, (*moved, *moved, *lasting, *lasting))
    if shift.jump_us:
        await transaction.fetch(_SHIFT_SLOTS, (shift.jump_us,))


async def due(engine: Engine, now_us: int, limit: int) -> list[Due]:
    """Return held jobs to look at, those first that wait longest.

    Their lease or deadline has passed, or their node was suspect and has called since.
    """
    found = await engine.fetch(_RUN_OUT, (now_us, limit))
    found += await engine.fetch(_TOO_LONG, (now_us, limit))
    found += await engine.fetch(_HEARD_AGAIN, (limit,))
    return [Due(*row) for row in found]


async def silent_since(engine: Engine, nodes: Sequence[int], moment_us: int) -> list[Due]:
    """Return the jobs that some nodes hold and that nobody has reported on since ``moment_us``."""
    if not nodes:
        return []
    sql = slots.of_nodes(engine.kind, "pk, attempt, 0", len(nodes), more=_IDLE)
    return [Due(*row) for row in await engine.fetch(sql, (*nodes, moment_us))]
