"""Which engine a database URL means, and which one the tables use."""

from pathlib import Path

from orm.postgres import POOL_SIZE, ServerEngine
from orm.sqlite import EmbeddedEngine
from orm.tables import ALL

Engine = EmbeddedEngine | ServerEngine

SQLITE = "sqlite:///"


def make_engine(url: str, pool_size: int = POOL_SIZE) -> Engine:
    """Return the engine for ``sqlite:///path`` or ``postgresql://…``; nothing is opened yet.

    Args:
        url: Of the database.
        pool_size: Most connections in the pool of this process; an embedded database has none.
    """
    if url.startswith(SQLITE):
        return EmbeddedEngine(Path(url.removeprefix(SQLITE)))
    return ServerEngine(url, pool_size)


def bind(engine: Engine) -> None:
    """Make every table use ``engine``: one process serves one database."""
    for table in ALL:
        table._meta.db = engine
