"""Tests against real databases, SQLite and PostgreSQL alike, and the rows they start from."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
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
