"""The audit: rows are only ever added, and each row's hash covers the one before it."""

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from orm.postgres import Transaction as ServerTransaction
from orm.rows import AuditEntry
from orm.sqlite import Transaction as EmbeddedTransaction

COLUMNS = "time_us, actor, session, address, action, object_type, object_pk, before, after, hash"
INSERT = f"INSERT INTO audit ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
HEAD = "SELECT audit_hash FROM hub_meta WHERE pk = 1"
SET_HEAD = "UPDATE hub_meta SET audit_hash = ? WHERE pk = 1"


def chained(head: str, entries: Sequence[AuditEntry]) -> list[tuple[Any, ...]]:
    """Return the rows to insert after the row whose hash is ``head``."""
    rows = []
    for entry in entries:
        row = (time.time_ns() // 1_000, *msgspec.structs.astuple(entry))
        head = link(head, row)
        rows.append((*row, head))
    return rows


def link(head: str, row: tuple[Any, ...]) -> str:
    """Return the hash of ``row`` (all columns but its number and hash) after ``head``."""
    return hashlib.sha256(head.encode() + msgspec.json.encode(row)).hexdigest()


def append_sqlite(raw: sqlite3.Connection, entries: Sequence[AuditEntry]) -> None:
    """Add ``entries`` inside the transaction that is open on ``raw``."""
    if not entries:
        return
    rows = chained(raw.execute(HEAD).fetchone()[0], entries)
    raw.executemany(INSERT, rows)
    raw.execute(SET_HEAD, (rows[-1][-1],))


async def append(
    transaction: EmbeddedTransaction | ServerTransaction, entries: Sequence[AuditEntry]
) -> None:
    """Add ``entries`` inside ``transaction``; it takes the clock row, so do it last."""
    if not entries:
        return
    lock = " FOR UPDATE" if isinstance(transaction, ServerTransaction) else ""
    ((head,),) = await transaction.fetch(HEAD + lock)
    rows = chained(head, entries)
    for row in rows:
        await transaction.fetch(INSERT, row)
    await transaction.fetch(SET_HEAD, (rows[-1][-1],))
