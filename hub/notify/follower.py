"""Reads the log behind a place that outlives the process, and hands it on page by page."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from channels.events import Event
from channels.feed import Feed
from orm.engine import Engine
from orm.leadership import Duty, on_duty
from orm.queries import meta
from orm.queries.meta import Told

GATHER_S = 0.2
"""News waits for more of it: calls go first, and one question to the database is for many jobs."""


class Follower:
    """Tells every committed event, by one process of all on a database.

    The place is stored now and then, after the telling: a process that dies leaves at most what it
    told since then to be told again, and nothing is left out.

    Args:
        engine: Where the place is stored.
        feed: What the log is read through.
        duty: What keeps other processes from doing the same.
        ways: The places to move; the first one says where to begin.
        tell: Tells a page of events; the next page waits for it.
        page: The most events in a page.
    """

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        duty: Duty,
        ways: Sequence[Told],
        tell: Callable[[Sequence[Event]], Awaitable[None]],
        *,
        page: int,
    ) -> None:
        self._engine = engine
        self._feed = feed
        self._duty = duty
        self._ways = ways
        self._tell = tell
        self._page = page
        self._place = 0
        self._stored = 0

    async def run(self) -> None:
        """Follow the log until cancelled, or until another process may be on duty.

        Raises:
            StorageError: the database does not answer; calling again goes on where this stopped.
        """
        async with on_duty(self._engine, self._duty) as is_still_ours:
            self._stored = await meta.told(self._engine, self._ways[0])
            self._place = max(self._place, self._stored)
            with self._feed.follow(self._place) as tail:
                while True:
                    events = await tail.next(self._page)
                    if len(events) < self._page:
                        await asyncio.sleep(GATHER_S)
                    if not is_still_ours():
                        return
                    await self._tell(events)
                    self._place = tail.position

    async def keep(self) -> None:
        """Store how far the log was told.

        Raises:
            StorageError: the database did not take it.
        """
        place = self._place
        if place > self._stored:
            await meta.set_told(self._engine, self._ways, place)
            self._stored = place
