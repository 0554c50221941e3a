"""The scaled-out engine: PostgreSQL through a pool."""

import contextvars
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Self

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from piccolo.engine.postgres import PostgresEngine
from piccolo.querystring import QueryString

from orm.errors import TooSlow, translated

Values = Sequence[Any]

POOL_SIZE = 8
ACQUIRE_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 15.0
SEARCH_LIMIT_S = 5.0
SEARCHES = 3
"""Searches that run at once; their cost is up to the filters that somebody sends."""

BESIDE_THE_POOL = SEARCHES + 3
"""Most connections of a process beside its pool: searches, and sessions that hold locks."""

# A paused or lost process must not hold the clock row: the server ends its wait, and its
# transaction.
SESSION = {
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "5000",
    "statement_timeout": "15000",
    "synchronous_commit": "on",
    "application_name": "hub",
    "timezone": "UTC",
    # It compiles what looks expensive, for longer than anything here takes to run. With
    # ``enable_seqscan=off`` that is every statement that reads a whole table, even of one row.
    "jit": "off",
}
# Statements are prepared while the tables are nearly empty, and their plans are kept until the next
# ANALYZE: a plan that reads a whole table was right then, and slows down job by job. Searches are
# never the same twice, and have sessions of their own.
KNOWN_STATEMENTS = {**SESSION, "enable_seqscan": "off"}


REMEMBERED_LENGTH = 4_096


def numbered(sql: str) -> str:
    """Return ``sql`` with each ``?`` as ``$1``, ``$2`` …; no statement has a literal ``?``."""
    # A filter can make a statement of 100 kB that nobody asks for again: it must not be kept.
    return _remembered(sql) if len(sql) <= REMEMBERED_LENGTH else _numbered(sql)


def _numbered(sql: str) -> str:
    head, *rest = sql.split("?")
    return head + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))


_remembered = lru_cache(maxsize=1_024)(_numbered)


class Transaction:
    """One transaction on one pooled connection; Piccolo queries inside it join it.

    Piccolo's own keeps the connection, and the mark that a transaction is open, when COMMIT fails.
    """

    connection: "PoolConnectionProxy[asyncpg.Record]"

    row_lock = " FOR NO KEY UPDATE"
    """What a ``SELECT`` ends with to keep others from changing its rows; others may refer to them.
    """

    def __init__(self, engine: "ServerEngine") -> None:
        self._engine = engine
        self._is_over = False
        self._mark: contextvars.Token[Any] | None = None

    async def __aenter__(self) -> Self:
        if self._engine.current_transaction.get() is not None:
            raise RuntimeError("a transaction is open already; there are no nested ones here")
        with translated():
            self.connection = await self._engine.acquire()
            self._inner = self.connection.transaction()
            async with self._terminated_on_failure():
                await self._inner.start()
        current: Any = self._engine.current_transaction  # Piccolo asks only for `.connection`
        self._mark = current.set(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._mark is not None
        self._engine.current_transaction.reset(self._mark)
        with translated():
            async with self._terminated_on_failure():
                if not self._is_over:
                    await (self._inner.rollback() if kind else self._inner.commit())
            await self._engine.release(self.connection)

    @asynccontextmanager
    async def _terminated_on_failure(self) -> AsyncIterator[None]:
        """Give up the session when it is not known what state its transaction is in."""
        try:
            yield
        except BaseException:
            self.connection.terminate()
            await self._engine.release(self.connection)
            raise

    async def fetch(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one statement inside the transaction and return its rows."""
        with translated():
            return [tuple(row) for row in await self.connection.fetch(numbered(sql), *values)]

    async def rollback(self) -> None:
        """Take back what was done; leaving the block then does nothing more."""
        self._is_over = True
        with translated():
            await self._inner.rollback()


class ServerEngine(PostgresEngine):
    """Piccolo's PostgreSQL engine with our pool; making one connects to nothing."""

    kind = "postgres"

    def __init__(self, url: str, pool_size: int = POOL_SIZE) -> None:
        super().__init__(config={"dsn": url})
        self._pool_size = pool_size
        self._searchers: asyncpg.Pool[asyncpg.Record] | None = None

    async def check_version(self) -> None:
        """Skip Piccolo's look at the server during an import; ``start`` finds out."""

    async def prep_database(self) -> None:
        """Need no extension."""

    async def start(self) -> None:
        """Open the pool.

        Raises:
            DatabaseAway: the server does not answer.
        """
        with translated():
            await self.start_connection_pool(
                min_size=2,
                max_size=self._pool_size,
                server_settings=KNOWN_STATEMENTS,
                command_timeout=COMMAND_TIMEOUT_S,
                # Nothing here uses session state, so a connection needs no cleaning between two
                # uses.
                reset=_leave_as_is,
            )
            self._searchers = await asyncpg.create_pool(
                **self.config,
                min_size=0,
                max_size=SEARCHES,
                server_settings=SESSION,
                reset=_leave_as_is,
            )

    async def stop(self) -> None:
        """Close the pools."""
        if self._searchers is not None:
            await self._searchers.close()
            self._searchers = None
        if self.pool:
            await self.close_connection_pool()

    async def fetch(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run one reading statement outside any transaction and return its rows."""
        with translated():
            async with self._pooled() as connection:
                return [tuple(row) for row in await connection.fetch(numbered(sql), *values)]

    async def search(self, sql: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Run a statement that may be slow; most of the pool stays free for others.

        Raises:
            TooSlow: it takes longer than ``SEARCH_LIMIT_S``.
        """
        with translated():
            async with self._search_pool().acquire() as connection:
                try:
                    found = await connection.fetch(numbered(sql), *values, timeout=SEARCH_LIMIT_S)
                except TimeoutError as error:
                    raise TooSlow(f"a search took more than {SEARCH_LIMIT_S} s") from error
        return [tuple(row) for row in found]

    async def snapshot(self, *statements: tuple[str, Values]) -> list[list[tuple[Any, ...]]]:
        """Run several reading statements on one snapshot of the database."""
        with translated():
            async with (
                self._pooled() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                return [
                    [tuple(row) for row in await connection.fetch(numbered(sql), *values)]
                    for sql, values in statements
                ]

    def transaction(self, *_: object, **__: object) -> Transaction:  # type: ignore[override]  # never nested
        """Open a transaction."""
        return Transaction(self)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        """Run one of Piccolo's queries; its errors are ours, as on the other engine."""
        with translated():
            return await super().run_querystring(querystring, in_pool)

    def _search_pool(self) -> Any:
        if self._searchers is None:
            raise RuntimeError("the engine was not started")
        return self._searchers

    def _pooled(self) -> Any:
        if self.pool is None:
            raise RuntimeError("the engine was not started")
        return self.pool.acquire(timeout=ACQUIRE_TIMEOUT_S)

    async def acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """Take a connection out of the pool, for ``release`` to bring back."""
        connection: PoolConnectionProxy[asyncpg.Record] = await self._pooled()
        return connection

    async def release(self, connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
        """Bring a connection back; the pool replaces one that was terminated."""
        if self.pool is not None:
            await self.pool.release(connection)

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> Any:
        async with self._pooled() as connection:
            return await connection.fetch(query, *(args or ()))


async def connections_allowed(engine: ServerEngine) -> int:
    """Return how many connections the server has for all who are no superusers."""
    names = "'max_connections', 'superuser_reserved_connections', 'reserved_connections'"
    rows = await engine.fetch(f"SELECT name, setting::int FROM pg_settings WHERE name IN ({names})")
    found = dict(rows)
    return int(found.pop("max_connections")) - sum(found.values())


async def _leave_as_is(_: object) -> None:
    return None
