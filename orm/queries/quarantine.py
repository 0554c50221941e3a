"""Late uploads of nodes that had a job once: kept apart from its outputs, and not for ever."""

import msgspec

from orm.engine import Engine


class Late(msgspec.Struct, frozen=True):
    """What a node brought too late, and on whose account."""

    job: int
    node: int
    account: int
    name: str
    type: str


class QuarantinedRow(msgspec.Struct, frozen=True):
    """Bytes that are kept apart; ``time_us`` is when they came last."""

    pk: int
    job: int
    node: int
    account: int
    name: str
    type: str
    sha256: str
    size: int
    time_us: int


_ROWS = f"SELECT {', '.join(QuarantinedRow.__struct_fields__)} FROM quarantine"
_NEWEST = "ORDER BY time_us DESC, pk DESC"
_AGAIN = """
UPDATE quarantine SET time_us = ? WHERE job = ? AND node = ? AND name = ? AND type = ?
AND sha256 = ? RETURNING pk"""
_ADD = """
INSERT INTO quarantine (job, node, account, name, type, sha256, size, time_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_MAKE_ROOM = f"""
DELETE FROM quarantine WHERE job = ? AND pk NOT IN
(SELECT pk FROM quarantine WHERE job = ? {_NEWEST} LIMIT ?)"""
_REMOVE = """
DELETE FROM quarantine WHERE pk IN
(SELECT pk FROM quarantine WHERE time_us < ? ORDER BY time_us LIMIT ?) RETURNING pk"""


async def keep(
    engine: Engine, late: Late, sha256: str, size: int, *, now_us: int, most: int
) -> bool:
    """Store that these bytes came; the same again only become young again.

    Args:
        engine: The database.
        late: Who brought them, and as what.
        sha256: Their name in the store.
        size: Their number.
        now_us: When.
        most: Rows that a job may have; the oldest of more go.

    Returns:
        Whether they are kept: not if the job is gone.
    """
    async with engine.transaction() as transaction:
        lock = f"SELECT pk FROM jobs WHERE pk = ?{transaction.row_lock}"
        if not await transaction.fetch(lock, (late.job,)):
            return False
        about = late.name, late.type, sha256
        if not await transaction.fetch(_AGAIN, (now_us, late.job, late.node, *about)):
            await transaction.fetch(_ADD, (late.job, late.node, late.account, *about, size, now_us))
            await transaction.fetch(_MAKE_ROOM, (late.job, late.job, most))
    return True


async def of_job(engine: Engine, job: int) -> list[QuarantinedRow]:
    """Return what is kept of ``job``, newest first."""
    rows = await engine.fetch(f"{_ROWS} WHERE job = ? {_NEWEST}", (job,))
    return [QuarantinedRow(*row) for row in rows]


async def get(engine: Engine, job: int, pk: int) -> QuarantinedRow | None:
    """Return what is kept of ``job`` under number ``pk``."""
    rows = await engine.fetch(f"{_ROWS} WHERE job = ? AND pk = ?", (job, pk))
    return QuarantinedRow(*rows[0]) if rows else None


async def remove_older(engine: Engine, moment_us: int, limit: int) -> int:
    """Remove up to ``limit`` rows of before a moment, and return how many there were."""
    async with engine.transaction() as transaction:
        return len(await transaction.fetch(_REMOVE, (moment_us, limit)))
