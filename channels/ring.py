"""The recent part of the log, in memory."""

from bisect import bisect_right
from collections import deque
from operator import attrgetter

from channels.events import Event

_gseq = attrgetter("gseq")


class Ring:
    """The newest events without a gap, limited by number and by bytes, and found by job.

    Attributes:
        head: Number of the newest event, whether it is still kept or not.
    """

    def __init__(self, head: int, *, max_events: int, max_bytes: int) -> None:
        self.head = head
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._events: deque[Event] = deque()
        self._by_job: dict[int, deque[Event]] = {}

    @property
    def floor(self) -> int:
        """Number of the newest event that is not kept: all from ``floor + 1`` to ``head`` are."""
        return self.head - len(self._events)

    def append(self, event: Event) -> list[Event]:
        """Add the next event and return those that had to go for it, oldest first."""
        assert event.gseq == self.head + 1, f"event {event.gseq} cannot follow {self.head}"
        self.head = event.gseq
        self._events.append(event)
        self._by_job.setdefault(event.job, deque()).append(event)
        self._bytes += event.weight
        gone = []
        while len(self._events) > self._max_events or self._bytes > self._max_bytes:
            gone.append(self._evict())
        return gone

    def after(self, position: int, limit: int) -> list[Event]:
        """Return the first ``limit`` kept events of all jobs that follow ``position``."""
        start = max(0, position - self.floor)
        return [self._events[i] for i in range(start, min(start + limit, len(self._events)))]

    def newest(self, job: int) -> Event | None:
        """Return the newest event of the job, ``None`` if none of it is kept."""
        kept = self._by_job.get(job)
        return kept[-1] if kept else None

    def of_job(self, job: int, after: int, limit: int) -> list[Event]:
        """Return the first ``limit`` kept events of the job that follow position ``after``."""
        kept = self._by_job.get(job)
        if kept is None:
            return []
        start = _first_behind(kept, after)
        # By index: a deque reaches its ends at once, while a slice would walk from the left.
        return [kept[i] for i in range(start, min(start + limit, len(kept)))]

    def _evict(self) -> Event:
        event = self._events.popleft()
        self._bytes -= event.weight
        kept = self._by_job[event.job]
        kept.popleft()  # the oldest of all is the oldest of its job
        if not kept:
            del self._by_job[event.job]
        return event


def _first_behind(kept: deque[Event], after: int) -> int:
    # Most readers want the last few: double the span from the right, then search inside it only.
    span = 1
    while span < len(kept) and kept[-span].gseq > after:
        span *= 2
    return bisect_right(kept, after, lo=max(0, len(kept) - span), key=_gseq)
