"""Bring a database to the newest schema; safe to call from several processes at once."""

import contextlib
import importlib
import io
import logging
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from piccolo.apps.migrations.commands.forwards import run_forwards
from piccolo.apps.migrations.tables import Migration
from piccolo.engine.finder import engine_finder

from orm.engine import Engine, bind
from orm.errors import StorageError
from orm.postgres import ServerEngine

log = logging.getLogger("hub.migrate")

# Any number will do as long as nothing else in the database takes the same advisory lock.
ADVISORY_LOCK = 0x6A6F626875620001


MIGRATIONS = Path(__file__).parent / "piccolo_migrations"


class SchemaState(StrEnum):
    """How the schema of a database stands to this program's."""

    EMPTY = "empty"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


class Ddl(msgspec.Struct, frozen=True):
    """Statements of a migration: for both engines, then for one of them.

    ``{serial}`` stands for a numbered primary key that is never used again, ``{row_number}`` for a
    64-bit key that the writer numbers itself.
    """

    both: tuple[str, ...] = ()
    sqlite: tuple[str, ...] = ()
    postgres: tuple[str, ...] = ()

    def statements(self, kind: str) -> Iterable[str]:
        """Yield the statements for one kind of engine."""
        is_sqlite = kind == "sqlite"
        serial = "INTEGER PRIMARY KEY AUTOINCREMENT" if is_sqlite else "BIGSERIAL PRIMARY KEY"
        row_number = "INTEGER" if is_sqlite else "BIGINT"
        for sql in self.both:
            yield sql.replace("{serial}", serial).replace("{row_number}", row_number)
        yield from self.sqlite if is_sqlite else self.postgres


async def run_ddl(ddl: Ddl) -> None:
    """Run the statements on the engine that is being migrated, inside its transaction."""
    engine: Any = engine_finder()
    for sql in ddl.statements(engine.kind):
        await engine.run_ddl(sql)


async def run_rows(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Run one statement for each of ``rows``, which are its values, likewise."""
    engine: Any = engine_finder()
    for row in rows:
        await engine.current_transaction.get().fetch(sql, row)


async def migrate(engine: Engine, upto: str = "all") -> None:
    """Run the migrations that this database has not seen.

    Args:
        engine: The database.
        upto: The ID of the last one to run.

    Raises:
        StorageError: one of them failed; its transaction was rolled back.
    """
    conf: Any = importlib.import_module("piccolo_conf")
    conf.DB = engine
    bind(engine)
    Migration._meta.db = engine
    said = io.StringIO()
    async with _alone(engine):
        with contextlib.redirect_stdout(said):
            result = await run_forwards(app_name="hub", migration_id=upto)
    log.debug("migrations: %s", said.getvalue())
    if not result.success:
        raise StorageError(f"migration failed: {result.message}")


@contextlib.asynccontextmanager
async def _alone(engine: Engine) -> AsyncIterator[None]:
    """Keep other processes' migrations out; on SQLite the data folder's lock already does."""
    if not isinstance(engine, ServerEngine):
        yield
        return
    connection = await engine.get_new_connection()
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        yield
    finally:
        await connection.close()


async def state(engine: Engine) -> SchemaState:
    """Return how far the schema of a database that was opened is from the newest one."""
    sql = {
        "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'",
        "postgres": "SELECT 1 WHERE to_regclass('migration') IS NOT NULL",
    }[engine.kind]
    if not await engine.fetch(sql):
        return SchemaState.EMPTY
    rows = await engine.fetch("SELECT name FROM migration WHERE app_name = 'hub'")
    done = {name for (name,) in rows}
    known = {migration_id(path) for path in MIGRATIONS.glob("hub_*.py")}
    if done - known:
        return SchemaState.NEWER
    return SchemaState.CURRENT if done == known else SchemaState.OLDER


def migration_id(path: Path) -> str:
    """Return the ID that the migration file at ``path`` declares."""
    found = re.search(r'^ID = "(.+)"$', path.read_text(), re.MULTILINE)
    if found is None:
        raise StorageError(f"{path.name} declares no ID")
    return found[1]
