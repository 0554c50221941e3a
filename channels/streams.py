"""Readers that share what they want: one stream for each distinct selection.

A stream keeps the newest events of its selection, judged once for all readers. A reader is a
position and a mode; what it is told next, a ``Window``, is made once for all readers at the same
place. Who is further behind than the stream reaches reads the ring, or the log, page by page.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, Protocol

from channels.conflation import TOLD, Entry, Mode, Told, fitting
from channels.events import Event
from channels.ring import Ring
from channels.selections import OfJobs, Selection

KEPT_EVENTS = 1_024
KEPT_BYTES = 1 << 20
"""The most that a stream keeps; the ring mostly has the same events anyway."""

WINDOW_EVENTS = 256
WINDOW_BYTES = 64_000
"""About what fits in one frame. One event may be larger than that by itself."""

WINDOWS_MAX = 64
"""Windows that a stream keeps for other readers at the same place, until the next event."""

ENVELOPE_BYTES = 300
"""What an event's own members take besides its data, about."""

PAGE = 500
"""Events in one look at the ring or the log for a reader that is far behind."""


class Window(NamedTuple):
    """What a reader is told next.

    Attributes:
        told: The events, oldest first; there may be none.
        upto: Everything up to this number is in it, or not wanted.
        is_cut: It was limited by its size: more follows at once.
        faces: Encodings made so far; see :meth:`face`.
    """

    told: list[Told]
    upto: int
    is_cut: bool
    faces: dict[Hashable, bytes]

    def face(self, key: Hashable, encode: Callable[["Window"], bytes]) -> bytes:
        """Return this window as readers with this key see it, encoded once for all of them."""
        known = self.faces.get(key)
        if known is None:
            known = self.faces[key] = encode(self)
        return known


class Source(Protocol):
    """Where streams and their readers read: the feed, seen from here."""

    @property
    def ring(self) -> Ring:
        """The recent events."""
        ...

    @property
    def head(self) -> int:
        """Number of the newest event that readers can have."""
        ...

    async def read_log(self, after: int, limit: int) -> list[Event]:
        """Read older events of all jobs; waits for a free reader and for a log that answers."""
        ...

    async def read_jobs(self, jobs: frozenset[int], after: int, upto: int) -> list[Event]:
        """Read some jobs' older events, ``PAGE`` at most; waits likewise."""
        ...

    def leave(self, reader: "Reader") -> None:
        """Wake this reader no more."""
        ...


class Stream:
    """The newest events of one selection.

    Attributes:
        selection: Which events.
        readers: Whom to wake.
        floor: The stream has every event of its selection behind this position.
    """

    def __init__(self, selection: Selection, floor: int) -> None:
        self.selection = selection
        self.readers: set[Reader] = set()
        self.floor = floor
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._windows: dict[tuple[int, Mode], Window] = {}

    def take(self, event: Event) -> None:
        """Keep ``event`` and wake the readers, if it belongs here."""
        mark = self.selection.judge(event)
        if mark is None:
            return
        self._entries.append(Entry(event, mark))
        self._bytes += event.weight
        while len(self._entries) > KEPT_EVENTS or self._bytes > KEPT_BYTES:
            self._drop()
        self._windows.clear()
        for reader in self.readers:
            reader.wake()

    def trim(self, upto: int) -> None:
        """Let go of what the ring has let go, up to number ``upto``."""
        while self._entries and self._entries[0].event.gseq <= upto:
            self._drop()

    def window(self, position: int, mode: Mode, head: int) -> Window:
        """Return what a reader at ``position``, not below the floor, is told next."""
        known = self._windows.get((position, mode))
        if known is None:
            known = window(self._behind(position), mode, max(position, head))
            # One that tells nothing would be of an old head the next time.
            if known.told and len(self._windows) < WINDOWS_MAX:
                self._windows[position, mode] = known
        return known

    def _behind(self, position: int) -> list[Entry]:
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entry.event.gseq <= position:
                break
            found.append(entry)
        found.reverse()
        return found

    def _drop(self) -> None:
        gone = self._entries.popleft().event
        self._bytes -= gone.weight
        self.floor = gone.gseq


def window(entries: Sequence[Entry], mode: Mode, upto: int) -> Window:
    """Return what is told of ``entries``, as much as fits.

    Args:
        entries: What a selection has behind a reader, oldest first.
        mode: What of the progress is told.
        upto: Nothing else is wanted up to this number.
    """
    count = fitting(entries, mode, WINDOW_EVENTS, WINDOW_BYTES, ENVELOPE_BYTES)
    told = TOLD[mode](entries[:count])
    if count < len(entries):
        return Window(told, entries[count - 1].event.gseq, is_cut=True, faces={})
    return Window(told, upto, is_cut=False, faces={})


class Reader:
    """One reader of a stream. Not for two tasks at a time.

    Attributes:
        position: Everything up to this number was told, or is not wanted. It may lie ahead of the
            feed: events up to it are then left out when they come.
        mode: What of the progress is told.
        is_closed: It left, or the feed has stopped; nothing comes any more.
    """

    def __init__(
        self, source: Source, stream: Stream, position: int, mode: Mode, wake: Callable[[], None]
    ) -> None:
        self.stream = stream
        self.position = position
        self.mode = mode
        self.wake = wake
        self.is_closed = False
        self._source = source

    @property
    def lag(self) -> int:
        """By how many events of all jobs it is behind."""
        return max(0, self._source.head - self.position)

    @property
    def is_off_stream(self) -> bool:
        """Whether the next events must come from the ring or the log."""
        return self.position < self.stream.floor

    @property
    def is_off_ring(self) -> bool:
        """Whether they must come from the log, for they are not in memory any more."""
        return self.is_off_stream and self.position < self._source.ring.floor

    async def next(self) -> Window:
        """Return what comes next, and move the position behind it; it waits only for the log.

        Nothing told and nothing cut means that there is no news. Cancelling is safe.
        """
        if not self.is_off_stream:
            return self.take()
        coming = await self._look_back()
        self.position = coming.upto
        return coming

    def take(self) -> Window:
        """Do as ``next`` does, at once: only for a reader that is not off its stream."""
        coming = self.stream.window(self.position, self.mode, self._source.head)
        self.position = coming.upto
        return coming

    async def _look_back(self) -> Window:
        selection, position = self.stream.selection, self.position
        if isinstance(selection, OfJobs):
            events, upto = await self._of_jobs(selection.jobs, position)
        else:
            events, upto = await self._of_all(position)
        judged = ((event, selection.judge(event)) for event in events)
        entries = [Entry(event, mark) for event, mark in judged if mark is not None]
        # Whether there is more, the next look tells, which may be at the stream.
        return window(entries, self.mode, upto)._replace(is_cut=True)

    def close(self) -> None:
        """Leave the stream; closing again does nothing."""
        if not self.is_closed:
            self.is_closed = True
            self._source.leave(self)
            self.wake()

    async def _of_jobs(self, jobs: frozenset[int], position: int) -> tuple[list[Event], int]:
        head = self._source.head
        if position >= self._source.ring.floor:
            found = [e for job in jobs for e in self._source.ring.of_job(job, position, PAGE)]
            events = sorted(found, key=lambda event: event.gseq)[:PAGE]
        else:
            events = await self._source.read_jobs(jobs, position, head)
        # A full page may have been cut; a short one shows that there is no more up to the head.
        return events, events[-1].gseq if len(events) >= PAGE else head

    async def _of_all(self, position: int) -> tuple[list[Event], int]:
        ring = self._source.ring
        if position >= ring.floor:
            events = ring.after(position, PAGE)
        else:
            floor = ring.floor
            events = await self._source.read_log(position, PAGE)
            if not events:  # the log has let go of them
                return [], floor
        return events, events[-1].gseq if events else ring.head
