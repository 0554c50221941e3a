"""The embedded engine: one writer connection and a few readers, each in its own thread.

Piccolo's own SQLite engine opens a connection, and so a thread, for every query, and its
transactions are DEFERRED, which turns two racing writers into "database is locked". Here every
write of the process goes through one connection, one after the other, and reads run beside it on
snapshots (WAL).
"""

import asyncio
import contextvars
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from piccolo.engine.sqlite import SQLiteEngine

from orm.errors import translated

T = TypeVar("T")
Values = Sequence[Any]

READERS = 2
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA cache_size = -32768",
    "PRAGMA journal_size_limit = 67108864",
)


READ_LIMIT_S = 15.0
"""A reading statement that takes longer is ended: it must not keep the others waiting."""

SEARCH_LIMIT_S = 5.0
"""Likewise for a search, whose cost is up to the filter that somebody sends."""

STEPS_BETWEEN_LOOKS = 100_000
"""Virtual machine steps between two looks at the clock: some milliseconds."""


class Connection:
    """One SQLite connection and the only thread that may touch it.

    Args:
        path: The file.
        name: What the thread is called.
        limit_s: Work that takes longer is ended with ``TooSlow``.

    Raises:
        DatabaseAway: the file cannot be opened.
    """

    def __init__(self, path: str, name: str, limit_s: float = math.inf) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._limit_s = limit_s
        self._deadline_s = math.inf
        try:
            with translated():
                self._raw = self._thread.submit(_connect, path).result()
        except BaseException:
            self._thread.shutdown()
            raise
        if limit_s < math.inf:
            self._raw.set_progress_handler(self._is_late, STEPS_BETWEEN_LOOKS)

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline_s

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` with the raw connection in its thread, after what was asked before."""
        loop = asyncio.get_running_loop()
        with translated():
            return await loop.run_in_executor(self._thread, self._timed, work)

    def _timed(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._deadline_s = time.monotonic() + self._limit_s
        return work(self._raw)

    async def execute(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return await self.run(lambda raw: raw.execute(sql, values).fetchall())

    def close(self) -> None:
        """Finish what was asked, then close; the connection is of no use afterwards."""
        self._thread.submit(self._raw.close).result()
        self._thread.shutdown()


def _connect(path: str) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        raw.execute(pragma)
    # SQLite's own lower() knows only ASCII; filters must fold case alike on both engines.
    raw.create_function("lower", 1, _lower, deterministic=True)
    return raw


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Transaction:
    """``BEGIN IMMEDIATE … COMMIT`` on the writer; Piccolo queries inside it join it."""

    row_lock = ""
    """What a ``SELECT`` ends with to keep others from changing its rows: nobody else can here."""

    def __init__(self, engine: "EmbeddedEngine") -> None:
        self._engine = engine
        self._token: contextvars.Token[Any] | None = None
        self.connection = engine.writer

    async def __aenter__(self) -> Self:
        if self._engine.current_transaction.get() is not None:
            raise RuntimeError("a transaction is open already; there are no nested ones here")
        await self._engine.write_turn.acquire()
        try:
            await _to_its_end(self.connection.execute("BEGIN IMMEDIATE"))
        except BaseException:
            await self._leave(_rollback)
            raise
        self._token = self._engine.current_transaction.set(self)  # type: ignore[arg-type]  # stands in for Piccolo's
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._token is not None
        self._engine.current_transaction.reset(self._token)
        await self._leave(_rollback if kind else _commit)

    async def _leave(self, how: Callable[[sqlite3.Connection], None]) -> None:
        try:
            await _to_its_end(self.connection.run(how))
        finally:
            self._engine.write_turn.release()

    async def fetch(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one statement inside the transaction and return its rows."""
        return await self.connection.execute(sql, values)

    async def rollback(self) -> None:
        """Take back what was done; leaving the block then does nothing more."""
        await self.connection.run(_rollback)


async def _to_its_end(work: Awaitable[T]) -> T:
    """Wait for ``work`` even when cancelled: the thread does it anyway, and its outcome matters."""
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        while not doing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([doing])
        raise


def _commit(raw: sqlite3.Connection) -> None:
    if not raw.in_transaction:  # rolled back by hand
        return
    try:
        raw.execute("COMMIT")
    except BaseException:
        _rollback(raw)
        raise


def _rollback(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        raw.execute("ROLLBACK")


class EmbeddedEngine(SQLiteEngine):
    """Piccolo's SQLite engine on connections that stay open; its minor version is pinned."""

    kind = "sqlite"

    def __init__(self, path: Path | str) -> None:
        super().__init__(path=str(path))
        self.write_turn = asyncio.Lock()
        self._writer: Connection | None = None
        self._readers: list[Connection] = []
        self._searcher: Connection | None = None
        self._next_reader = 0

    @property
    def writer(self) -> Connection:
        """The one connection that writes."""
        if self._writer is None:
            self._writer = Connection(self.path, "sqlite-writer")
        return self._writer

    async def start(self) -> None:
        """Open the connections: the writer first, for it makes the file and turns WAL on."""
        self.writer  # noqa: B018  # the property opens it
        self._readers = [
            Connection(self.path, f"sqlite-reader-{n}", READ_LIMIT_S) for n in range(READERS)
        ]
        self._searcher = Connection(self.path, "sqlite-searcher", SEARCH_LIMIT_S)

    async def stop(self) -> None:
        """Close the connections; the writer last, so that it leaves no WAL behind."""
        for connection in (self._searcher, *self._readers, self._writer):
            if connection is not None:
                connection.close()
        self._searcher, self._readers, self._writer = None, [], None

    def reader(self) -> Connection:
        """One of the read connections, in turn."""
        if not self._readers:
            return self.writer
        self._next_reader = (self._next_reader + 1) % len(self._readers)
        return self._readers[self._next_reader]

    async def fetch(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement outside any transaction and return its rows."""
        return await self.reader().execute(sql, values)

    async def search(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run a statement that may be slow; it can only keep other searches waiting.

        Raises:
            TooSlow: it takes longer than ``SEARCH_LIMIT_S``.
        """
        return await (self._searcher or self.reader()).execute(sql, values)

    async def snapshot(self, *statements: tuple[str, Values]) -> list[list[tuple[Any, ...]]]:
        """Run several reading statements on one snapshot of the database."""

        def work(raw: sqlite3.Connection) -> list[list[tuple[Any, ...]]]:
            raw.execute("BEGIN")
            try:
                return [raw.execute(sql, values).fetchall() for sql, values in statements]
            finally:
                raw.execute("COMMIT")

        return await self.reader().run(work)

    def transaction(self, *_: object, **__: object) -> Transaction:  # type: ignore[override]  # always IMMEDIATE
        """Open a write transaction; Piccolo's options about its type do not apply."""
        return Transaction(self)

    async def _run_in_new_connection(
        self,
        query: str,
        args: list[Any] | None = None,
        query_type: str = "generic",
        table: Any = None,
    ) -> list[dict[str, Any]]:
        if query.lstrip()[:6].upper() == "SELECT":
            return await self.reader().run(_as_dicts(query, args or []))
        async with self.write_turn:
            return await self.writer.run(_as_dicts(query, args or []))

    async def _run_in_existing_connection(
        self,
        connection: Connection,
        query: str,
        args: list[Any] | None = None,
        query_type: str = "generic",
        table: Any = None,
    ) -> list[dict[str, Any]]:
        return await connection.run(_as_dicts(query, args or []))


def _as_dicts(sql: str, values: Values) -> Callable[[sqlite3.Connection], list[dict[str, Any]]]:
    def work(raw: sqlite3.Connection) -> list[dict[str, Any]]:
        cursor = raw.execute(sql, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return work


WriteTransaction = AbstractAsyncContextManager[Transaction]
