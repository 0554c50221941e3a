"""Watches that no event number is given out twice in one epoch.

A cursor names an epoch and a number. When a database is put back to an earlier moment (a backup, a
copy, a replica that lagged), numbers that watchers hold are given to other events: a new epoch
makes all those cursors void, and their holders begin again instead of missing what they cannot see.
"""

import asyncio
import logging

from channels.feed import Feed
from hub import clock
from hub.lifecycle.auditing import entry
from hub.lifecycle.commands import Actor
from hub.upkeep.high_water import HighWater
from orm.engine import Engine
from orm.queries import audit, meta

log = logging.getLogger("hub.upkeep")

BY_HUB = Actor(None)


async def rotate(engine: Engine, epoch: str, actor: Actor, reason: str) -> str | None:
    """Give the log a new epoch in the place of ``epoch``, with an audit row, and return it.

    ``None``: the log is no longer in that epoch, somebody else was first.
    """
    async with engine.transaction() as transaction:
        made = await meta.rotate(transaction, epoch)
        if made is not None:
            after = {"epoch": made, "reason": reason}
            noted = entry(actor, "log.rotate_epoch", "log", None, before=epoch, after=after)
            await audit.append(transaction, [noted], clock.wall_us())
    return made


class EpochGuard:
    """Compares the log with what was seen of it, at the start and while the hub runs.

    Attributes:
        replaced: Set when the log under this process is no longer the one it has shown: what it
            holds in memory is void, and it has to end.
    """

    def __init__(self, engine: Engine, marks: HighWater, feed: Feed) -> None:
        self._engine = engine
        self._marks = marks
        self._feed = feed
        self._epoch = ""
        self.replaced = asyncio.Event()

    async def begin(self) -> str:
        """Return the epoch of the log, a new one if the log lacks events that were seen here.

        Raises:
            OSError: the marks cannot be read.
        """
        now = await meta.clock(self._engine)
        if await asyncio.to_thread(self._marks.has_passed, now.epoch, now.gseq):
            await self._rotate(now)
            now = await meta.clock(self._engine)
        self._epoch = now.epoch
        return now.epoch

    async def look(self) -> None:
        """Remember how far the log was shown, or find that it is another one.

        Raises:
            StorageError: the database does not answer.
        """
        shown = self._feed.head  # before the question, so that the log cannot be behind it
        now = await meta.clock(self._engine)
        if now.epoch == self._epoch and now.gseq >= shown:
            await self.keep()
        elif not self.replaced.is_set():
            if now.epoch == self._epoch:
                await self._rotate(now)
            log.error("the log was replaced, this process ends epoch=%s", self._epoch)
            self.replaced.set()

    async def keep(self) -> None:
        """Remember how far the log was shown."""
        if self.replaced.is_set():
            return
        try:
            await asyncio.to_thread(self._marks.raise_to, self._epoch, self._feed.head)
        except OSError as error:
            log.warning("log marks not stored error=%s", error)

    async def _rotate(self, now: meta.Clock) -> None:
        made = await rotate(self._engine, now.epoch, BY_HUB, "the log went back")
        log.warning("the log went back epoch=%s gseq=%d new_epoch=%s", now.epoch, now.gseq, made)
