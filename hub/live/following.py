"""One subscription: how it begins, and what it is told next; a face says in which form."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import TypeVar

from channels.events import BadCursor, Cursor
from channels.protocol.frames import ResetReason, Subscribe
from channels.selections import OfJobs
from channels.streams import Reader, Window
from hub import clock
from hub.errors import InvalidInput, NotFound
from hub.live.faces import Began, Beginning, Face, SocketFace
from hub.live.gallery import Gallery
from hub.live.snapshots import parts
from orm.queries import jobs
from orm.queries.meta import Clock

T = TypeVar("T")

PATIENCE_S = 60.0
BEHIND_MAX = 50_000
"""Who wants every report and is further behind is cut off; the cursor makes up for it."""

LAGGING_S = 1.0


class BadCursorText(InvalidInput):
    """This is no cursor."""

    code = "bad_cursor"


class TooSlow(Exception):
    """This subscription cannot keep up any more."""


class Expired(Exception):
    """The log no longer reaches back to where this subscription is."""


class Following:
    """A selection that is followed on one connection, behind a place in the log.

    Args:
        name: What the client calls it.
        reader: Its place in the log.
        gallery: What there is to see.
        face: In which form it is told; by default as ``hub.v1``.

    Attributes:
        name: What the client calls it.
        told: Everything up to this event was told: the next message goes on there.
        is_ready: It has begun; before that nothing but its beginning may be sent.
    """

    def __init__(
        self, name: str, reader: Reader, gallery: Gallery, face: Face | None = None
    ) -> None:
        self.name = name
        self.told = reader.position
        self.is_ready = False
        self._reader = reader
        self._face = face or SocketFace(name, gallery.epoch)
        self._engine = gallery.engine
        self._snapshots = gallery.snapshots
        self._clocks = gallery.clocks
        self._behind_since_s: float | None = None

    @property
    def is_lagging(self) -> bool:
        """Whether there has been more to send than was taken, for a while."""
        since_s = self._behind_since_s
        return since_s is not None and clock.monotonic_s() - since_s > LAGGING_S

    @property
    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return self._reader.is_closed

    async def begin(self, wish: Subscribe) -> AsyncGenerator[bytes]:
        """Give the frames that come before the first event.

        Raises:
            BadCursorText: the cursor is none.
            NotFound: a job that is named does not exist.
        """
        now = await self._clocks.now()
        reset: ResetReason | None = None
        if wish.cursor is not None:
            cursor = _cursor(wish.cursor)
            reset = reset_reason(cursor, now)
            if reset is None and wish.snapshot != "always":
                self._move(cursor.gseq)
                yield self._subscribed("resume", now.gseq, now.floor, None)
                self.is_ready = True
                return
        await self._check_jobs()
        if wish.snapshot == "never":
            yield self._subscribed("live", now.gseq, now.floor, reset)
        else:
            async for frame in self._snapshot(reset):
                yield frame
        self.is_ready = True

    async def restart(self, reason: ResetReason) -> AsyncGenerator[bytes]:
        """Give the frames that begin anew, when the log no longer reaches back to where it was."""
        self.is_ready = False
        yield self._face.reset(reason)
        async for frame in self._snapshot(reason, is_first=False):
            yield frame
        self.is_ready = True

    async def next(self) -> tuple[bytes | None, bool]:
        """Return the next frame, if there is news, and whether there may be more at once.

        Raises:
            TooSlow: it wants every report and is too far behind.
            Expired: the log has let go of what it should send.
        """
        is_old, before = self._reader.is_off_ring, self._reader.position
        coming = await self._reader.next()
        # Asked after the look: what the log lets go in between would be missed the other way round.
        if is_old and (await self._clocks.now()).floor > before:
            raise Expired
        return self._told_of(coming)

    @property
    def is_at_hand(self) -> bool:
        """Whether ``take`` may be called: it keeps up, and what is next is in its stream."""
        is_behind = self._behind_since_s is not None or self._reader.is_off_stream
        return self.is_ready and not is_behind

    def take(self) -> tuple[bytes | None, bool]:
        """Do as ``next`` does, at once; only while it ``is_at_hand``."""
        return self._told_of(self._reader.take())

    def _told_of(self, coming: Window) -> tuple[bytes | None, bool]:
        self._note_lag(coming)
        if not coming.told:
            return None, coming.is_cut
        frame = coming.face((self._face.key, self.told), self._frame)
        self.told = coming.upto
        return frame, coming.is_cut

    def bookmark(self) -> bytes:
        """Return the frame that says up to where everything was sent."""
        before, self.told = self.told, self._reader.position
        return self._face.bookmark(before, self.told)

    def close(self) -> None:
        """Follow no more."""
        self._reader.close()

    def _note_lag(self, coming: Window) -> None:
        if not coming.is_cut:
            self._behind_since_s = None
            return
        now_s = clock.monotonic_s()
        if self._behind_since_s is None:
            self._behind_since_s = now_s
        is_late = now_s - self._behind_since_s > PATIENCE_S
        if self._reader.mode == "all" and is_late and self._reader.lag > BEHIND_MAX:
            raise TooSlow

    def _move(self, position: int) -> None:
        self._reader.position = self.told = position

    async def _check_jobs(self) -> None:
        selection = self._reader.stream.selection
        if isinstance(selection, OfJobs):
            missing = selection.jobs - await jobs.existing(self._engine, sorted(selection.jobs))
            if missing:
                named = ", ".join(map(str, sorted(missing)[:10]))
                raise NotFound(f"there is no job {named}")

    async def _snapshot(
        self, reset: ResetReason | None, *, is_first: bool = True
    ) -> AsyncGenerator[bytes]:
        number = 0
        async for page in self._snapshots.pages(self._reader.stream.selection):
            if not number:
                self._move(page.gseq)
                if is_first:
                    yield self._subscribed("snapshot", page.gseq, page.floor, reset)
            for rows, is_last in _with_last(parts(page.rows)):
                number += 1
                yield self._part(number, rows, is_last=is_last and not page.has_more)

    def _part(self, number: int, rows: list[bytes], *, is_last: bool) -> bytes:
        return self._face.part(self.told, number, rows, is_last=is_last)

    def _subscribed(self, mode: Began, head: int, floor: int, reset: ResetReason | None) -> bytes:
        return self._face.subscribed(Beginning(mode, self.told, max(head, self.told), floor, reset))

    def _frame(self, coming: Window) -> bytes:
        return self._face.events(self.told, coming.upto, coming.told)


def _cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except BadCursor as error:
        raise BadCursorText(str(error)) from error


def reset_reason(cursor: Cursor, now: Clock) -> ResetReason | None:
    """Return why the log cannot go on behind ``cursor``; ``None``: it can."""
    if cursor.epoch != now.epoch:
        return "epoch"
    if cursor.gseq > now.gseq:
        return "cursor_ahead"
    return "expired" if cursor.gseq < now.floor else None


def _with_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    known = list(items)
    return ((item, number == len(known)) for number, item in enumerate(known, 1))
