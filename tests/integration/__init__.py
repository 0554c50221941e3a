"""Tests against real databases, SQLite and PostgreSQL alike, and the rows they start from."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from orm.engine import Engine, bind, make_engine
from orm.migrate import migrate
from tests.servers import PrivatePostgres, require

Row = dict[str, Any]
NewUrl = Callable[[str], str]

KINDS = ["sqlite", "postgres"]

US = 1_000_000
TEMPLATE: Row = {
    "version": 1,
    "description": "",
    "scope": "",
    "contract": "Export",
    "created_us": 1 * US,
    "executor_class": "some.Executor",
    "required_packages": "",
    "inputs": "{}",
    "parameters": "{}",
    "outputs": "{}",
    "labels": "{}",
    "requirements": "{}",
    "max_tries": 1,
    "priority": 100,
}
JOB: Row = {
    "template": 1,
    "status": "QUEUED",
    "priority": 100,
    "description": "",
    "labels": "{}",
    "seq": 0,
    "tseq": 0,
    "attempt": 0,
    "tries": 0,
    "max_tries": 1,
    "num_exes": 1,
    "former_nodes": "",
    "progress": 0.0,
    "output_count": 0,
    "created_us": 1 * US,
    "queued_us": 1 * US,
    "modified_us": 1 * US,
}
USER: Row = {"password_hash": "secret", "role": "user", "joined_us": 1 * US}
NODE: Row = {"owner": 1, "index": 0, "cpu_mem": 1, "created_us": 1 * US}
OUTPUT: Row = {"attempt": 1, "sha256": "", "size": 0, "created_us": 1 * US}


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[NewUrl]:
    """How to make an empty database of a name, and get its address; SQLite's are in ``folder``."""
    if kind == "sqlite":
        yield lambda name: f"sqlite:///{folder}/{name}.sqlite3"
        return
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        yield server.create_database


class Copies:
    """Copies of one prepared database: SQLite files, or databases of ``server``."""

    def __init__(self, folder: Path, server: PrivatePostgres | None) -> None:
        self._folder = folder
        self._server = server
        self._numbers = itertools.count()

    @property
    def origin(self) -> str:
        """The address of the original, to be prepared before the first copy."""
        return self._server.url("origin") if self._server else self._file("origin")

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The address of a copy that is there while the block runs; its users end before."""
        name = f"copy_{next(self._numbers)}"
        if self._server is None:
            shutil.copy(self._folder / "origin", self._folder / name)
            yield self._file(name)
            return
        yield self._server.create_database(name, "origin")
        # A PostgreSQL database takes megabytes, and a test run thousands of them.
        self._server.drop_database(name)

    def _file(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}"


@contextmanager
def copies(
    kind: str, folder: Path, prepare: Callable[[str], Coroutine[Any, Any, None]]
) -> Iterator[Copies]:
    """Copies of a database that ``prepare`` fills once."""
    with ExitStack() as stack:
        server = None
        if kind == "postgres":
            require(PrivatePostgres)
            server = stack.enter_context(PrivatePostgres(durable=False))
            server.create_database("origin")
        made = Copies(folder, server)
        asyncio.run(prepare(made.origin))
        yield made


@asynccontextmanager
async def migrated(url: str, upto: str = "all") -> AsyncIterator[Engine]:
    """An engine on the database at ``url``, which is brought to the newest schema, or an older."""
    engine = make_engine(url)
    await engine.start()
    try:
        await migrate(engine, upto)
        bind(engine)
        yield engine
    finally:
        await engine.stop()


async def insert(engine: Engine, table: str, defaults: Row, *rows: Row) -> None:
    """Add ``rows``, numbered from 1 in their order unless they say a ``pk``."""
    async with engine.transaction() as transaction:
        for number, row in enumerate(rows, 1):
            values = {"pk": number} | defaults | row
            await transaction.fetch(_insertion(table, list(values)), list(values.values()))


def _insertion(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
