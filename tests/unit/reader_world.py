"""A log of jobs that come and go, and readers that check what they are told against it."""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

from channels.conflation import Mode, Told
from channels.events import About, Event
from channels.feed import Feed
from channels.selections import OfFilter, OfJobs
from tests.unit.feed_world import FakeLog

NEXT = {None: "QUEUED", "QUEUED": "RUNNING", "RUNNING": "COMPLETED", "COMPLETED": "QUEUED"}
NAMES = {None: "create", "QUEUED": "start", "RUNNING": "finish", "COMPLETED": "requeue"}

AnySelection = OfJobs | OfFilter


class StoryLog(FakeLog):
    """Every job goes in circles, with reports in between; its template has its number."""

    def __init__(self) -> None:
        super().__init__()
        self._status: dict[int, str] = {}
        self._tseq: dict[int, int] = {}

    def _event(self, job: int, data: bytes) -> Event:
        self._seq[job] += 1
        before = self._status.get(job)
        is_transition = before is None or (self._seq[job] * 7 + job) % 4 == 0
        after = NEXT[before] if is_transition else before
        assert after is not None
        self._status[job] = after
        self._tseq[job] = self._tseq.get(job, 0) + is_transition
        event = Event(
            gseq=len(self.events) + 1,
            job=job,
            seq=self._seq[job],
            tseq=self._tseq[job],
            kind="t" if is_transition else "p",
            type=NAMES[before] if is_transition else "progress",
            time_us=0,
            from_status=before,
            to_status=after,
            attempt=1,
            node=None,
            progress=0.0,
            data=data,
            about=About("", job, None, None, "{}"),
        )
        self.events.append(event)
        return event


class Wanted(NamedTuple):
    event: Event
    entered: bool
    left: bool


def wanted(log: FakeLog, selection: AnySelection, after: int) -> Iterator[Wanted]:
    """Give what a selection has behind a place, in the plainest words."""
    for event in log.events[after:]:
        if selection.kinds and event.kind not in selection.kinds:
            continue
        if isinstance(selection, OfJobs):
            if event.job in selection.jobs:
                yield Wanted(event, entered=False, left=False)
            continue
        if selection.templates and event.job not in selection.templates:
            continue
        statuses = selection.statuses or frozenset(NEXT.values())
        was, is_now = event.type != "create", True
        was, is_now = was and event.from_status in statuses, event.to_status in statuses
        if was or is_now:
            yield Wanted(event, entered=is_now and not was, left=was and not is_now)


def compare(all_of_it: list[Wanted], told: list[Told], mode: Mode) -> None:
    """Check what was told of all that there was to tell."""
    skips = {one.event.gseq: one.skip for one in told}
    expected = [
        one
        for one in all_of_it
        if mode != "latest" or one.event.kind == "t" or one.event.gseq in skips
    ]
    assert [one.event.gseq for one in expected] == [one.event.gseq for one in told]
    for wish, one in zip(expected, told, strict=True):
        assert (wish.entered, wish.left) == (one.mark.entered, one.mark.left)
    left_out: dict[int, int] = {}
    for wish in all_of_it:
        job = wish.event.job
        if wish.event.gseq in skips:
            assert skips[wish.event.gseq] == left_out.pop(job, 0)
        else:
            left_out[job] = left_out.get(job, 0) + 1
    assert left_out == {}, "the newest was left out"


class Listener:
    """Reads a selection; on its own when eager, else when told to."""

    def __init__(self, feed: Feed, selection: AnySelection, after: int | None, mode: Mode) -> None:
        self.selection = selection
        self.start = feed.head if after is None else after
        self.mode = mode
        self.told: list[Told] = []
        self._news = asyncio.Event()
        self.reader = feed.read(selection, self._news.set, after, mode)
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Read from now on, as fast as events come."""
        if self._task is None:
            self._task = asyncio.create_task(self._read_for_ever())

    async def rest(self) -> None:
        """Stop reading in the middle of whatever it is; the place stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def leave(self) -> None:
        await self.rest()
        self.reader.close()

    def check(self, log: FakeLog, *, complete: bool) -> None:
        """Compare with the log: nothing wrong so far, or everything is here."""
        if self._task is not None and self._task.done():
            self._task.result()
        upto = len(log.events) if complete else self.reader.position
        all_of_it = [
            one
            for one in wanted(log, self.selection, self.start)
            if one.event.gseq <= upto and (self.mode != "none" or one.event.kind == "t")
        ]
        compare(all_of_it, self.told, self.mode)

    async def _read_for_ever(self) -> None:
        while True:
            self._news.clear()
            before = self.reader.position
            coming = await self.reader.next()
            assert coming.upto == self.reader.position >= before
            assert all(before < told.event.gseq <= coming.upto for told in coming.told)
            self.told += coming.told
            if not coming.is_cut:
                await self._news.wait()
