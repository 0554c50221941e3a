"""The clock row: the epoch of this log, its newest number, and what it still holds."""

import secrets

import msgspec

from orm.engine import Engine

EPOCH_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Clock(msgspec.Struct, frozen=True):
    """Where the log stands: events ``floor + 1`` to ``gseq`` of ``epoch`` are all there."""

    epoch: str
    gseq: int
    floor: int


async def ensure(engine: Engine, now_us: int) -> Clock:
    """Return the clock row, which the first start makes with a random epoch."""
    epoch = "".join(secrets.choice(EPOCH_LETTERS) for _ in range(10))
    async with engine.transaction() as transaction:
        await transaction.fetch(
            "INSERT INTO hub_meta (pk, epoch, gseq, floor, compact_floor, audit_hash, created_us) "
            "VALUES (1, ?, 0, 0, 0, '', ?) ON CONFLICT (pk) DO NOTHING",
            (epoch, now_us),
        )
    return await clock(engine)


async def clock(engine: Engine) -> Clock:
    """Return the clock row."""
    ((epoch, gseq, floor),) = await engine.fetch("SELECT epoch, gseq, floor FROM hub_meta")
    return Clock(epoch, gseq, floor)


async def check_writable(engine: Engine) -> None:
    """Do one write and take it back.

    Raises:
        StorageError: the database does not take writes now.
    """
    async with engine.transaction() as transaction:
        await transaction.fetch("UPDATE hub_meta SET gseq = gseq WHERE pk = 1")
        await transaction.rollback()
