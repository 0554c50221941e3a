"""The audit: rows are only ever added, and each row's hash covers the one before it."""

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from orm.postgres import Transaction as ServerTransaction
from orm.queries.batch import marks
from orm.rows import AuditEntry
from orm.sqlite import Transaction as EmbeddedTransaction

COLUMN_TYPES = {
    "time_us": "int8",
    "actor": "int8",
    "session": "text",
    "address": "text",
    "action": "text",
    "object_type": "text",
    "object_pk": "int8",
    "before": "text",
    "after": "text",
    "hash": "text",
}
COLUMNS = ", ".join(COLUMN_TYPES)
INSERT = f"INSERT INTO audit ({COLUMNS}) VALUES ({marks(len(COLUMN_TYPES))})"
# One array a column: the text is the same however many rows. Their order is the order of the chain.
INSERT_ALL = (
    f"INSERT INTO audit ({COLUMNS}) SELECT {COLUMNS} "
    f"FROM unnest({', '.join(f'?::{kind}[]' for kind in COLUMN_TYPES.values())}) "
    f"WITH ORDINALITY AS entry ({COLUMNS}, nth) ORDER BY nth"
)
HEAD = "SELECT audit_hash FROM hub_meta WHERE pk = 1"
SET_HEAD = "UPDATE hub_meta SET audit_hash = ? WHERE pk = 1"


def chained(head: str, entries: Sequence[AuditEntry], now_us: int) -> list[tuple[Any, ...]]:
    """Return the rows to insert after the row whose hash is ``head``."""
    rows = []
    for entry in entries:
        row = (now_us, *msgspec.structs.astuple(entry))
        head = link(head, row)
        rows.append((*row, head))
    return rows


def link(head: str, row: tuple[Any, ...]) -> str:
    """Return the hash of ``row`` (all columns but its number and hash) after ``head``."""
    return hashlib.sha256(head.encode() + msgspec.json.encode(row)).hexdigest()


def append_sqlite(raw: sqlite3.Connection, entries: Sequence[AuditEntry], now_us: int) -> None:
    """Add ``entries`` inside the transaction that is open on ``raw``."""
    if not entries:
        return
    rows = chained(raw.execute(HEAD).fetchone()[0], entries, now_us)
    raw.executemany(INSERT, rows)
    raw.execute(SET_HEAD, (rows[-1][-1],))


async def append(
    transaction: EmbeddedTransaction | ServerTransaction,
    entries: Sequence[AuditEntry],
    now_us: int,
) -> None:
    """Add ``entries`` inside ``transaction``; it takes the clock row.

    So do it last, but before a row is locked to which a batch that holds the clock row may refer.
    """
    if not entries:
        return
    if isinstance(transaction, EmbeddedTransaction):
        await transaction.connection.run(lambda raw: append_sqlite(raw, entries, now_us))
        return
    ((head,),) = await transaction.fetch(f"{HEAD} FOR UPDATE")
    rows = chained(head, entries, now_us)
    await transaction.fetch(INSERT_ALL, [list(column) for column in zip(*rows, strict=True)])
    await transaction.fetch(SET_HEAD, (rows[-1][-1],))
