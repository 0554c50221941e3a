"""Work that one process at a time does for all that share a database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum

import asyncpg

from orm.engine import Engine
from orm.errors import translated
from orm.postgres import ServerEngine

ASK_AGAIN_S = 2.0


class Duty(IntEnum):
    """What only one process does; the values are advisory locks of the database."""

    PRINTS = 0x6A6F626875620011
    MAIL = 0x6A6F626875620012


@asynccontextmanager
async def on_duty(engine: Engine, duty: Duty) -> AsyncIterator[Callable[[], bool]]:
    """Wait until no other process is on this duty, and keep it until the block is left.

    An embedded database has only one process. On PostgreSQL a session of its own holds the lock, so
    that it passes on by itself when the process dies.

    Yields:
        A question that costs nothing: whether the duty is still ours. When the session ended it is
        not, and another process may be at it already.

    Raises:
        DatabaseAway: the database does not answer.
    """
    if not isinstance(engine, ServerEngine):
        yield lambda: True
        return
    with translated():
        session = await engine.get_new_connection()
    try:
        # A statement that waits for the lock would keep old rows from being cleaned up meanwhile.
        while not await _is_free(session, duty):  # noqa: ASYNC110  # a database calls nobody
            await asyncio.sleep(ASK_AGAIN_S)
        yield lambda: not session.is_closed()
    finally:
        session.terminate()


async def _is_free(session: "asyncpg.Connection[asyncpg.Record]", duty: Duty) -> bool:
    with translated():
        return bool(await session.fetchval("SELECT pg_try_advisory_lock($1)", duty.value))
