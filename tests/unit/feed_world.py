"""A log in memory that fails and lingers on demand, and watchers that write down what they get."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from channels.events import Event
from channels.feed import Feed
from channels.subscription import Subscription


class LogDown(Exception):
    """The log does not answer."""


class FakeLog:
    """The truth of a test: commits are instant, reads can fail, linger and be counted."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failures_to_come = 0
        self.linger_s = 0.0
        self.reads: Counter[str] = Counter()
        self.readers = 0
        self.most_readers = 0
        self._seq: Counter[int] = Counter()

    def commit(self, *jobs: int, data: bytes = b"{}") -> list[Event]:
        """Append one event for each job named."""
        return [self._event(job, data) for job in jobs]

    async def head(self) -> int:
        await self.pause("head")
        return len(self.events)

    async def read(self, after: int, limit: int) -> list[Event]:
        await self.pause("read")
        found = self.events[after : after + limit]
        await self.pause("answer")
        return found

    async def read_jobs(
        self, jobs: Sequence[int], after: int, upto: int, limit: int
    ) -> list[Event]:
        self.readers += 1
        self.most_readers = max(self.most_readers, self.readers)
        try:
            await self.pause("read_jobs")
            found = [e for e in self.of_job(None, after) if e.job in jobs and e.gseq <= upto][
                :limit
            ]
            await self.pause("answer")
            return found
        finally:
            self.readers -= 1

    def of_job(self, job: int | None, after: int) -> list[Event]:
        return [e for e in self.events if job in (e.job, None) and e.gseq > after]

    async def pause(self, what: str) -> None:
        """Count the call, linger, and perhaps fail: the place where other things happen."""
        self.reads[what] += 1
        await asyncio.sleep(self.linger_s)
        if self.failures_to_come:
            self.failures_to_come -= 1
            raise LogDown

    def _event(self, job: int, data: bytes) -> Event:
        self._seq[job] += 1
        event = Event(
            gseq=len(self.events) + 1,
            job=job,
            seq=self._seq[job],
            tseq=1,
            kind="p",
            type="progress",
            time_us=0,
            from_status=None,
            to_status=None,
            attempt=1,
            node=None,
            progress=0.0,
            data=data,
        )
        self.events.append(event)
        return event


class Watcher:
    """Reads one job's events, or all (``None``); on its own when eager, else when told to."""

    def __init__(self, feed: Feed, job: int | None, after: int | None, limit: int) -> None:
        self.start = feed.head if after is None else after
        self.job = job
        self.subscription: Subscription = (
            feed.follow(self.start) if job is None else feed.watch(job, after)
        )
        self.seen: list[int] = []
        self._limit = limit
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Read from now on, as fast as events come."""
        if self._task is None:
            self._task = asyncio.create_task(self._read_for_ever())

    async def rest(self) -> None:
        """Stop reading in the middle of whatever it is; the subscription stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def leave(self) -> None:
        await self.rest()
        self.subscription.close()

    def check(self, log: FakeLog, *, complete: bool) -> None:
        """Compare with the log: nothing wrong so far, or everything is here."""
        expected = [e.gseq for e in log.of_job(self.job, self.start)]
        if not complete:
            expected = expected[: len(self.seen)]
        assert self.seen == expected

    async def _read_for_ever(self) -> None:
        while True:
            events = await self.subscription.next(self._limit)
            assert 1 <= len(events) <= self._limit
            self.seen += numbers(events)


def numbers(events: Iterable[Event]) -> list[int]:
    return [event.gseq for event in events]
