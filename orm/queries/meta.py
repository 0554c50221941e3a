"""The clock row: the epoch of this log, its newest number, and what it still holds."""

import secrets
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from orm.engine import Engine
from orm.postgres import Transaction as ServerTransaction
from orm.sqlite import Transaction as EmbeddedTransaction

EPOCH_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Clock(msgspec.Struct, frozen=True):
    """Where the log stands: events ``floor + 1`` to ``gseq`` of ``epoch`` are all there."""

    epoch: str
    gseq: int
    floor: int


class Told(StrEnum):
    """The columns that say up to which event notifications were told, by each of the ways."""

    PRINTED = "notified_gseq"
    MAILED = "mailed_gseq"


async def ensure(engine: Engine, now_us: int) -> Clock:
    """Return the clock row, which the first start makes with a random epoch."""
    async with engine.transaction() as transaction:
        await transaction.fetch(
            "INSERT INTO hub_meta (pk, epoch, gseq, floor, compact_floor, audit_hash, created_us) "
            "VALUES (1, ?, 0, 0, 0, '', ?) ON CONFLICT (pk) DO NOTHING",
            (_new_epoch(), now_us),
        )
    return await clock(engine)


def _new_epoch() -> str:
    return "".join(secrets.choice(EPOCH_LETTERS) for _ in range(10))


async def rotate(transaction: EmbeddedTransaction | ServerTransaction, epoch: str) -> str | None:
    """Put a new epoch in the place of ``epoch`` and return it; ``None``: somebody else did."""
    rows = await transaction.fetch(
        "UPDATE hub_meta SET epoch = ? WHERE pk = 1 AND epoch = ? RETURNING epoch",
        (_new_epoch(), epoch),
    )
    return str(rows[0][0]) if rows else None


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


async def told(engine: Engine, way: Told) -> int:
    """Return the number of the newest event that was told in this way."""
    ((gseq,),) = await engine.fetch(f"SELECT {way} FROM hub_meta WHERE pk = 1")
    return int(gseq)


async def set_told(engine: Engine, ways: Sequence[Told], gseq: int) -> None:
    """Record that the events up to ``gseq`` were told in these ways; never moves one back."""
    async with engine.transaction() as transaction:
        for way in ways:
            await transaction.fetch(
                f"UPDATE hub_meta SET {way} = ? WHERE pk = 1 AND {way} < ?", (gseq, gseq)
            )
