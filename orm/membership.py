"""Who else serves this database, and whether all of them keep their outputs in one place."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from orm.engine import Engine
from orm.errors import translated
from orm.postgres import ServerEngine

log = logging.getLogger("orm")

MEMBERS = 0x6A6F6275
"""First key of the advisory locks by which processes see each other; the second is their place."""

PATIENCE_S = 5.0
"""The session of a process that was killed may outlive it for a moment."""

ASK_AGAIN_S = 0.1
ANSWER_LIMIT_S = 5.0

_LOCK = "SELECT pg_advisory_lock_shared($1, $2)"
_MEMBERS = """
SELECT objid::bigint, count(*) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = $1 AND objsubid = 2
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY objid"""


class OtherPlace(Exception):
    """Another process on this database keeps its outputs somewhere else."""


class Membership:
    """This process as one of all that serve a database; an embedded one has no others.

    Args:
        engine: Of the database.
        place: Where this process keeps its outputs, 0 to 2**31 - 1; equal numbers are one place.

    Attributes:
        others: How many other processes there were at the last look.
    """

    def __init__(self, engine: Engine, place: int) -> None:
        self._engine = engine if isinstance(engine, ServerEngine) else None
        self._place = place
        self._session: asyncpg.Connection[asyncpg.Record] | None = None
        self.others = 0

    @asynccontextmanager
    async def announced(self) -> AsyncIterator[None]:
        """Be seen by the others while the block runs.

        Raises:
            OtherPlace: one of them keeps its outputs elsewhere.
            DatabaseAway: the database does not answer.
        """
        try:
            await self._begin()
            yield
        finally:
            if self._session is not None:
                self._session.terminate()

    async def look(self) -> None:
        """Count the others, and be seen again if the session was lost.

        Raises:
            DatabaseAway: the database does not answer.
        """
        if not await self._are_all_here():
            log.error("outputs of another process are elsewhere place=%d", self._place)

    async def _begin(self) -> None:
        tries = round(PATIENCE_S / ASK_AGAIN_S)
        for _ in range(tries):
            if await self._are_all_here():
                return
            await asyncio.sleep(ASK_AGAIN_S)
        raise OtherPlace

    async def _are_all_here(self) -> bool:
        if self._engine is None:
            return True
        with translated():
            if self._session is None or self._session.is_closed():
                self._session = await self._engine.get_new_connection()
                await self._session.execute(_LOCK, MEMBERS, self._place, timeout=ANSWER_LIMIT_S)
            rows = await self._session.fetch(_MEMBERS, MEMBERS, timeout=ANSWER_LIMIT_S)
        found = {int(place): int(count) for place, count in rows}
        self.others = sum(found.values()) - 1
        return set(found) == {self._place}
