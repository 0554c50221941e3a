"""This process's view of the log: every committed event, in order, each once, to its watchers.

The log numbers events densely in the order of commit (``gseq``), so a missing one shows by
arithmetic. News reaches a feed in three ways: the local committer offers events, the doorbell hints
that other processes have committed, and the safety poll asks the log for its head: at once when
hints may have been lost, and more often while none can come. None of them is trusted to be complete
or in order. The head moves in one place only, :meth:`Feed._emit`, one number at a time, and what
does not come by itself is read from the log.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Never, Protocol, Self

from channels.conflation import Mode
from channels.doorbell.hint import Doorbell
from channels.doorbell.memory import MemoryDoorbell
from channels.events import Event
from channels.flights import Flights
from channels.patience import insist
from channels.ring import Ring
from channels.selections import OfJobs, Selection
from channels.streams import PAGE, Reader, Stream
from channels.subscription import JobSubscription, Page, Topic
from channels.tail import Tail

logger = logging.getLogger(__name__)

CATCH_UP_PAGE = 500  # events in one read of the log
CATCH_UP_READERS = 4  # watchers off the ring that read the log at the same time
STALE_S = 3.0  # a log that answers no question for so long is away
MAX_AHEAD = 1_024  # events are held back up to this distance; beyond it the log will have them


class EventLog(Protocol):
    """The committed events. Reads may fail at any time; the feed repeats them."""

    async def head(self) -> int:
        """Return the number of the newest committed event, 0 if there is none."""
        ...

    async def read(self, after: int, limit: int) -> list[Event]:
        """Return the first events behind ``after`` of all jobs, with dense ascending ``gseq``."""
        ...

    async def read_jobs(
        self, jobs: Sequence[int], after: int, upto: int, limit: int
    ) -> list[Event]:
        """Return the first events of some jobs with ``after < gseq <= upto``, ascending.

        Fewer than ``limit`` means that there are no more.
        """
        ...


class LogGap(Exception):
    """The log does not have the next event, though a later one is said to be committed."""


class Feed:
    """Passes the log on to the watchers of this process. All calls belong on its event loop.

    Args:
        log: Where committed events can be read.
        doorbell: Joins the feeds of several processes; by default there is only this one.
        ring_events: The most events to keep in memory.
        ring_bytes: The most bytes of content to keep in memory, encodings not counted.
        poll_s: Seconds between two looks at the log's head.
        deaf_poll_s: The same while the doorbell has a fault.
        grace_s: Seconds that a missing number may take to come by itself.
    """

    def __init__(
        self,
        log: EventLog,
        doorbell: Doorbell | None = None,
        *,
        ring_events: int = 16_384,
        ring_bytes: int = 64 * 2**20,
        poll_s: float = 1.0,
        deaf_poll_s: float = 0.25,
        grace_s: float = 0.02,
    ) -> None:
        self._log = log
        self._doorbell = doorbell or MemoryDoorbell()
        self._new_ring = partial(Ring, max_events=ring_events, max_bytes=ring_bytes)
        self._poll_s = poll_s
        self._deaf_poll_s = deaf_poll_s
        self._is_doubtful = asyncio.Event()
        self._grace_s = grace_s
        self._ring: Ring | None = None
        self._held: dict[int, Event] = {}
        self._heard = 0
        self._is_behind = asyncio.Event()
        self._grace: asyncio.TimerHandle | None = None
        self._topics: dict[int, Topic] = {}
        self._tails: set[Tail] = set()
        self._streams: dict[Selection, Stream] = {}
        self._streams_of_job: dict[int, set[Stream]] = {}
        self._wide_streams: set[Stream] = set()
        self._flights = Flights(CATCH_UP_READERS)
        self._answered_s = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Follow the log from its present head; on leaving, end every subscription.

        An error of the log's first answer passes to the caller; later ones are repeated and logged.
        """
        self._ring = self._new_ring(await self._log.head())
        self._held.clear()
        self._heard = self.head
        self._answered_s = asyncio.get_running_loop().time()
        chores = (self._catch_up, self._poll, self._listen)
        tasks = [asyncio.create_task(_for_ever(chore)) for chore in chores]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._end()
            await self._flights.end()

    @property
    def ring(self) -> Ring:
        """The recent events.

        Raises:
            RuntimeError: The feed has not been started.
        """
        if self._ring is None:
            raise RuntimeError("the feed is not running")
        return self._ring

    @property
    def head(self) -> int:
        """Number of the newest event that watchers can have."""
        return self.ring.head

    @property
    def behind(self) -> int:
        """How many events are said to be committed and have not come here yet."""
        return max(0, self._heard - self.head)

    @property
    def is_stale(self) -> bool:
        """Whether the log has not answered for a while: what watchers have may be out of date."""
        return asyncio.get_running_loop().time() - self._answered_s > self._poll_s + STALE_S

    def offer(self, events: Sequence[Event]) -> None:
        """Take events that were committed here; any order, repeats and holes are allowed."""
        if not events:
            return
        self._accept(events)
        if self.behind and self._grace is None:
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(self._grace_s, self._end_grace)
        numbers = [event.gseq for event in events]
        self._doorbell.ring(min(numbers), max(numbers))

    def hint(self, first: int, last: int) -> None:
        """Hear that events ``first`` to ``last`` are committed: fetch what is missing at once."""
        if last > self._heard:  # else it is an echo, or somebody is at it
            self._heard = last
            self._is_behind.set()

    def watch(self, job: int, after: int | None = None) -> JobSubscription:
        """Subscribe to one job's events behind ``after``; ``None`` means from now on.

        There is no ``await`` between reading the head and being registered, so nothing can slip
        through. Whether the log still reaches back to ``after`` is for the caller to know.
        """
        topic = self._topics.get(job)
        if topic is None:
            topic = self._topics[job] = Topic(job, self.ring.floor)
        subscription = JobSubscription(self, topic, self.head if after is None else after)
        topic.watchers.add(subscription)
        return subscription

    def forget(self, subscription: JobSubscription) -> None:
        """Wake this subscription no more; its own ``close`` calls this."""
        topic = self._topics[subscription.job]
        topic.watchers.remove(subscription)
        if not topic.watchers:
            del self._topics[subscription.job]

    def follow(self, after: int) -> Tail:
        """Subscribe to the events of all jobs behind ``after``."""
        tail = Tail(self, after)
        self._tails.add(tail)
        return tail

    def let_go(self, tail: Tail) -> None:
        """Wake this tail no more; its own ``close`` calls this."""
        self._tails.remove(tail)

    def read(
        self,
        selection: Selection,
        wake: Callable[[], None],
        after: int | None = None,
        mode: Mode = "all",
    ) -> Reader:
        """Read the events of a selection behind ``after``; ``None`` means from now on.

        ``wake`` is called when there is news, between two steps of the loop. As for ``watch``,
        nothing can slip through, and whether the log reaches back to ``after`` is for the caller.
        """
        stream = self._streams.get(selection)
        if stream is None:
            stream = self._streams[selection] = Stream(selection, self.head)
            for streams in self._lists_of(selection):
                streams.add(stream)
        reader = Reader(self, stream, self.head if after is None else after, mode, wake)
        stream.readers.add(reader)
        return reader

    def leave(self, reader: Reader) -> None:
        """Wake this reader no more; its own ``close`` calls this."""
        stream = reader.stream
        stream.readers.remove(reader)
        if stream.readers:
            return
        del self._streams[stream.selection]
        for streams in self._lists_of(stream.selection):
            streams.remove(stream)
        if isinstance(stream.selection, OfJobs):
            for job in stream.selection.jobs:
                if not self._streams_of_job[job]:
                    del self._streams_of_job[job]

    def _lists_of(self, selection: Selection) -> list[set[Stream]]:
        """Return where a stream of this selection is listed."""
        if isinstance(selection, OfJobs):
            return [self._streams_of_job.setdefault(job, set()) for job in selection.jobs]
        return [self._wide_streams]

    async def read_log(self, after: int, limit: int) -> list[Event]:
        """Read older events of all jobs; failures are repeated until the log answers."""
        read = partial(insist, partial(self._log.read, after, limit), "feed.read")
        return await self._flights.share(("log", after, limit), read)

    async def read_jobs(self, jobs: frozenset[int], after: int, upto: int) -> list[Event]:
        """Read some jobs' older events from the log; failures are repeated likewise."""
        asked = partial(self._log.read_jobs, sorted(jobs), after, upto, PAGE)
        return await self._flights.share(
            (jobs, after, upto), partial(insist, asked, "feed.read_jobs")
        )

    async def read_page(self, job: int, after: int, limit: int) -> Page:
        """Read one job's older events from the log; failures are repeated until it answers."""
        read = partial(insist, partial(self._read_page, job, after, limit), "feed.read_job")
        return await self._flights.share(("job", job, after, limit), read)

    async def _read_page(self, job: int, after: int, limit: int) -> Page:
        upto = self.head
        return Page(await self._log.read_jobs([job], after, upto, limit), upto)

    def _accept(self, events: Sequence[Event]) -> None:
        for event in events:
            self._heard = max(self._heard, event.gseq)
            if 0 < event.gseq - self.head <= MAX_AHEAD:
                self._held[event.gseq] = event
            while (following := self._held.pop(self.head + 1, None)) is not None:
                self._emit(following)

    def _emit(self, event: Event) -> None:
        for gone in self.ring.append(event):
            if gone.job in self._topics:
                self._topics[gone.job].floor = gone.gseq
        topic = self._topics.get(event.job)
        if topic is not None:
            for watcher in topic.watchers:
                watcher.wake()
        for tail in self._tails:
            tail.wake()
        for stream in self._streams_of_job.get(event.job, ()):
            stream.take(event)
        for stream in self._wide_streams:
            stream.take(event)

    def _end_grace(self) -> None:
        self._grace = None
        self._is_behind.set()

    async def _catch_up(self) -> None:
        await self._is_behind.wait()
        while self.behind:
            before = self.head
            self._accept(await self._log.read(before, CATCH_UP_PAGE))
            if self.head == before:
                heard, self._heard = self._heard, before  # the poll asks again
                raise LogGap(f"no event {before + 1} in the log, though {heard} was heard of")
        self._is_behind.clear()

    def _doubt(self) -> None:
        self._is_doubtful.set()

    async def _poll(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._deaf_poll_s if self._doorbell.fault else self._poll_s):
                await self._is_doubtful.wait()
        self._is_doubtful.clear()
        for stream in self._streams.values():
            stream.trim(self.ring.floor)
        shown = self.head
        committed = await self._log.head()
        self._answered_s = asyncio.get_running_loop().time()
        if committed < shown:
            # Numbers that watchers have seen will be given out again: only a new epoch helps.
            logger.error("feed.log_went_back head=%d log_head=%d", shown, committed)
        self.hint(committed, committed)

    async def _listen(self) -> None:
        try:
            await self._doorbell.listen(self.hint, self._doubt)
            raise ConnectionError("the doorbell has fallen silent")
        finally:
            self._doubt()

    def _end(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        for topic in tuple(self._topics.values()):
            for watcher in tuple(topic.watchers):
                watcher.close()
        for tail in tuple(self._tails):
            tail.close()
        for stream in tuple(self._streams.values()):
            for reader in tuple(stream.readers):
                reader.close()


async def _for_ever(chore: Callable[[], Awaitable[None]]) -> Never:
    while True:
        await insist(chore, f"feed.{chore.__name__.strip('_')}")
