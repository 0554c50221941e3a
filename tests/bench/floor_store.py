"""The two stores of the floor app: SQLite in a thread, PostgreSQL behind a pool."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import asyncpg

Row = dict[str, Any]

_TABLES = """
create table jobs (pk {serial}, template text not null, description text not null default '',
    state text not null, node bigint, progress double precision not null default 0,
    start_time bigint, end_time bigint, error_reason text, creation_time bigint not null);
create table history (pk {serial}, job bigint not null, at bigint not null,
    kind text not null, body text not null);
create index history_of_job on history (job, pk);
"""
_STATEMENTS = {
    "create": "insert into jobs (template, state, creation_time) values ($1, 'queued', $2)",
    "acquire": "update jobs set state = 'acquired', node = $1 where pk = $2",
    "start": "update jobs set state = 'running', start_time = $1 where pk = $2",
    "progress": "update jobs set progress = $1 where pk = $2",
    "finish": "update jobs set state = 'completed', end_time = $1 where pk = $2",
}
_HISTORY = "insert into history (job, at, kind, body) values ($1, $2, $3, $4)"


class Change(NamedTuple):
    """One request: ``value`` is the template, the node or the progress; ``None`` stands for now."""

    kind: str
    pk: int | None
    value: Any
    body: str

    def arguments(self, at_us: int) -> tuple[Any, Any]:
        """Return what ``$1`` and ``$2`` of the statement stand for."""
        value = at_us if self.value is None else self.value
        return value, at_us if self.pk is None else self.pk


class Store(Protocol):
    """Applies a change in a transaction of its own; the row is returned once it is durable."""

    async def apply(self, change: Change) -> Row:
        """Return the job's row after ``change``."""
        ...


def open_store(url: str) -> AbstractAsyncContextManager[Store]:
    """Return the store that ``url`` names: ``sqlite:///PATH`` or ``postgresql://...``."""
    scheme, _, rest = url.partition("://")
    return _sqlite(Path(rest)) if scheme == "sqlite" else _postgres(url)


class _SQLiteStore:
    def __init__(self, connection: sqlite3.Connection, writer: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._writer = writer

    async def apply(self, change: Change) -> Row:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._write, change)

    def _write(self, change: Change) -> Row:
        at_us = time.time_ns() // 1_000
        run = self._connection.execute
        run("begin immediate")
        (row,) = run(_SQLITE[change.kind], change.arguments(at_us)).fetchall()
        run(_SQLITE_HISTORY, (row["pk"], at_us, change.kind, change.body))
        run("commit")
        return dict(row)


def _numbered(statement: str) -> str:
    return statement.replace("$", "?")


_SQLITE = {kind: _numbered(f"{text} returning *") for kind, text in _STATEMENTS.items()}
_SQLITE_HISTORY = _numbered(_HISTORY)


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Store]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.executescript(_TABLES.format(serial="integer primary key"))
    with ThreadPoolExecutor(max_workers=1) as writer:
        yield _SQLiteStore(connection, writer)
    connection.close()


class _PostgresStore:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def apply(self, change: Change) -> Row:
        at_us = time.time_ns() // 1_000
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_POSTGRES[change.kind], *change.arguments(at_us))
            if row is None:
                raise LookupError(f"no job {change.pk}")
            await connection.execute(_HISTORY, row["pk"], at_us, change.kind, change.body)
        return dict(row)


_POSTGRES = {kind: f"{text} returning *" for kind, text in _STATEMENTS.items()}


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[Store]:
    async with asyncpg.create_pool(url, min_size=8, max_size=8) as pool:
        await pool.execute(_TABLES.format(serial="bigserial primary key"))
        yield _PostgresStore(pool)
