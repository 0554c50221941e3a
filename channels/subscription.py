"""A reader's place in the log, or in one job's part of it: a position, and no queue of its own."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from channels.events import Event
from channels.ring import Ring


class SubscriptionClosed(Exception):
    """This subscription has ended: its owner closed it, or the feed has stopped."""


class Page(NamedTuple):
    """Part of a job's story from the log: all up to ``upto``, unless a limit cut it short."""

    events: list[Event]
    upto: int


class Source(Protocol):
    """Where subscriptions read: the feed, seen from here."""

    @property
    def ring(self) -> Ring:
        """The recent events."""
        ...

    async def read_page(self, job: int, after: int, limit: int) -> Page:
        """Read older events from the log; waits for a free reader and for a log that answers."""
        ...

    def forget(self, subscription: "JobSubscription") -> None:
        """Wake this subscription no more."""
        ...


class Topic:
    """Everybody who watches one job.

    Attributes:
        job: Key of the job.
        floor: The ring has every event of *this job* behind this position. Kept for each job, since
            a quiet job's watcher must not turn to the log just because other jobs filled the ring.
        watchers: Whom to wake.
    """

    __slots__ = ("floor", "job", "watchers")

    def __init__(self, job: int, floor: int) -> None:
        self.job = job
        self.floor = floor
        self.watchers: set[JobSubscription] = set()


class Subscription(ABC):
    """Events behind a position, in order, each once. One reader at a time.

    Attributes:
        position: A ``gseq``; every event up to it has been returned by :meth:`next`. It may lie
            ahead of the feed: events up to it are then left out when they come.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self._sleeper: asyncio.Future[None] | None = None
        self._is_closed = False

    @property
    @abstractmethod
    def is_off_ring(self) -> bool:
        """Whether the reader is so late that the next events must come from the log."""

    async def next(self, limit: int = 256) -> list[Event]:
        """Wait until there is news, and return all of it at once, oldest first.

        Cancelling is safe: the position moves only when events are returned.

        Args:
            limit: The most events to return, from 1; the rest is there for the next call.

        Returns:
            At least one event.

        Raises:
            SubscriptionClosed: It was closed, before or during the call.
        """
        while not self._is_closed:
            if self.is_off_ring:
                events = await self._read_log(limit)
            else:
                events = self._read_ring(limit)
                if not events:
                    # No `await` since the ring was read: an event can only come during this sleep.
                    await self._sleep()
            if events:
                return events
        raise SubscriptionClosed

    def wake(self) -> None:
        """Say that there is news; saying it again before the reader has run costs nothing."""
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    def close(self) -> None:
        """Leave the feed and end a waiting :meth:`next`; closing again does nothing."""
        if not self._is_closed:
            self._is_closed = True
            self._leave()
            self.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _sleep(self) -> None:
        # A bare future: an asyncio.Event costs twice as much, and this is paid for each delivery.
        self._sleeper = asyncio.get_running_loop().create_future()
        try:
            await self._sleeper
        finally:
            self._sleeper = None

    @abstractmethod
    def _leave(self) -> None:
        """Ask the feed to wake this reader no more."""

    @abstractmethod
    def _read_ring(self, limit: int) -> list[Event]:
        """Take the next events out of memory, and move the position behind them."""

    @abstractmethod
    async def _read_log(self, limit: int) -> list[Event]:
        """Read the next events from the log, and move the position behind what was seen of it."""


class JobSubscription(Subscription):
    """All events of one job.

    Attributes:
        listener: Is called instead of waking a reader that sleeps; it may ``take`` what is there,
            or else has to ``rouse`` the reader.
    """

    def __init__(self, source: Source, topic: Topic, position: int) -> None:
        super().__init__(position)
        self.listener: Callable[[], None] | None = None
        self._source = source
        self._topic = topic

    @property
    def job(self) -> int:
        """Key of the job."""
        return self._topic.job

    @property
    def is_off_ring(self) -> bool:
        """Whether the next events must come from the log."""
        return self.position < self._topic.floor

    def wake(self) -> None:
        """Say that there is news to the listener of a reader that sleeps, or else to the reader."""
        if self.listener is None or self._sleeper is None:
            self.rouse()
        else:
            self.listener()

    def rouse(self) -> None:
        """Wake the reader."""
        super().wake()

    def take(self, limit: int, most_bytes: int) -> list[Event] | None:
        """Return the news for a reader that sleeps, without waking it; ``None``: wake it.

        It has to be woken when it is awake already, when it is at an end, when events must come
        from the log, and when there are ``limit`` events, or more than ``most_bytes`` of them.
        """
        is_asleep = self._sleeper is not None and not self._sleeper.done()
        if not is_asleep or self._is_closed or self.is_off_ring:
            return None
        events = self._source.ring.of_job(self.job, self.position, limit)
        if len(events) == limit or sum(event.weight for event in events) > most_bytes:
            return None
        if events:
            self.position = events[-1].gseq
        return events

    def _leave(self) -> None:
        self._source.forget(self)

    def _read_ring(self, limit: int) -> list[Event]:
        events = self._source.ring.of_job(self.job, self.position, limit)
        if events:
            self.position = events[-1].gseq
        return events

    async def _read_log(self, limit: int) -> list[Event]:
        events, upto = await self._source.read_page(self.job, self.position, limit)
        # A full page may have been cut; a short one shows that the job has no more up to `upto`.
        self.position = events[-1].gseq if len(events) >= limit else upto
        return events
