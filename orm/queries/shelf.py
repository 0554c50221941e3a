"""Small tables that people keep: every change is one transaction, with its audit row."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from piccolo.table import Table

from orm.engine import Engine
from orm.errors import StillReferenced, translated
from orm.queries import audit
from orm.queries.accounts import Source, Transaction
from orm.queries.batch import in_order, marks
from orm.rows import AuditEntry


class KeptRow(msgspec.Struct, frozen=True):
    """A row of such a table."""

    pk: int


Row = TypeVar("Row", bound=KeptRow)
Columns = Mapping[str, str | int | float | None]

Note = Callable[[Row | None, Row | None], Sequence[AuditEntry]]
"""What to write down about a change, given the row before it and after it."""

Check = Callable[[Source, Row, Row | None], Awaitable[None]]
"""Raises when a row must not become another one, or go; the row is locked, so what it sees holds.
"""


Change = Columns | Callable[[Row], Columns]
"""Columns as they shall be, or what returns them given the row as it is."""


async def allow(source: Source, before: Row, after: Row | None) -> None:
    """Raise nothing: a ``Check`` for what may become anything."""
    del source, before, after


class Shelf(Generic[Row]):
    """The rows of one table.

    Args:
        table: Where they are stored, under the number ``pk``.
        row: What they look like: a struct with the table's columns, ``pk`` first.
        used_by: A query with one ``?`` for a number; while it finds something the row stays.
            Foreign keys of the database need none.
    """

    def __init__(self, table: type[Table], row: type[Row], used_by: str | None = None) -> None:
        self._table: Any = table
        self._row = row
        self._used_by = used_by
        columns = ", ".join(f'"{name}"' for name in row.__struct_fields__)
        self._select = f"SELECT {columns} FROM {table._meta.tablename}"

    async def rows(self, engine: Engine, pks: Sequence[int]) -> list[Row]:
        """Return rows ``pks`` in the order of ``pks``; those that are not there are left out."""
        if not pks:
            return []
        found = await engine.fetch(f"{self._select} WHERE pk IN ({marks(len(pks))})", tuple(pks))
        return in_order(pks, [self._row(*values) for values in found])

    async def get(self, engine: Engine, pk: int) -> Row | None:
        """Return row ``pk``."""
        return next(iter(await self.rows(engine, [pk])), None)

    async def everything(self, engine: Engine) -> list[Row]:
        """Return all rows, oldest first: for tables that stay small."""
        return [self._row(*values) for values in await engine.fetch(f"{self._select} ORDER BY pk")]

    async def add(
        self,
        engine: Engine,
        columns: Columns,
        note: Note[Row],
        now_us: int,
        *,
        check: Check[Row] = allow,
    ) -> Row:
        """Store a row and return it; ``check`` is asked whether it may be what it is.

        Raises:
            NotUnique: another row has its key.
            StillReferenced: it refers to a row that is not there.
        """
        async with engine.transaction() as transaction:
            with translated():
                (made,) = await self._table.insert(self._table(**columns)).returning(self._table.pk)
            row = await self._locked(transaction, made["pk"])
            assert row is not None
            await check(transaction, row, row)
            await audit.append(transaction, note(None, row), now_us)
        return row

    async def change(
        self,
        engine: Engine,
        pk: int,
        columns: Change[Row],
        note: Note[Row],
        now_us: int,
        *,
        check: Check[Row] = allow,
    ) -> Row | None:
        """Change some columns of row ``pk`` and return it, ``None`` when there is none.

        Raises:
            NotUnique: another row has its key.
            StillReferenced: it refers to a row that is not there.
        """
        async with engine.transaction() as transaction:
            before = await self._locked(transaction, pk)
            if before is None:
                return None
            new = columns(before) if callable(columns) else columns
            after = msgspec.structs.replace(before, **new)
            await check(transaction, before, after)
            if after != before:
                with translated():
                    await self._table.update(dict(new)).where(self._table.pk == pk)
                await audit.append(transaction, note(before, after), now_us)
        return after

    async def remove(
        self, engine: Engine, pk: int, note: Note[Row], now_us: int, *, check: Check[Row] = allow
    ) -> Row | None:
        """Remove row ``pk`` and return what it was, ``None`` when there is none.

        Raises:
            StillReferenced: other rows refer to it.
        """
        async with engine.transaction() as transaction:
            before = await self._locked(transaction, pk)
            if before is None:
                return None
            await check(transaction, before, None)
            # Removed first: what refers to the row locks it, so the look behind sees the last of
            # them.
            with translated():
                await self._table.delete().where(self._table.pk == pk)
            if self._used_by and await transaction.fetch(self._used_by, (pk,)):
                raise StillReferenced(f"row {pk} is in use")
            await audit.append(transaction, note(before, None), now_us)
        return before

    async def _locked(self, transaction: Transaction, pk: int) -> Row | None:
        """Return row ``pk`` and keep others from changing it until the transaction ends."""
        sql = f"{self._select} WHERE pk = ?{transaction.row_lock}"
        return next((self._row(*values) for values in await transaction.fetch(sql, (pk,))), None)
