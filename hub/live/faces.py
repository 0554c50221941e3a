"""In which form a subscription is told: what it says is decided elsewhere, and the same for all."""

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from channels.conflation import Told
from channels.encoding import events_frame
from channels.events import Cursor
from channels.protocol.codec import encode
from channels.protocol.frames import (
    Bookmark,
    Reset,
    ResetReason,
    ServerFrame,
    Snapshot,
    Subscribed,
)
from hub.live.frames import text_frame

Began = Literal["resume", "snapshot", "live"]


class Beginning(NamedTuple):
    """How a subscription begins; places are numbers of events.

    Attributes:
        mode: What comes first.
        at: Everything up to this event is not told any more.
        head: The newest event.
        floor: The log reaches back to here.
        reset: Why a given cursor was not honoured.
    """

    mode: Began
    at: int
    head: int
    floor: int
    reset: ResetReason | None


class Face(Protocol):
    """One form. All bytes are ready to be sent; empty ones say nothing."""

    @property
    def key(self) -> Hashable:
        """Faces with equal keys show the same events as the same bytes."""
        ...

    def subscribed(self, beginning: Beginning) -> bytes:
        """Say how it begins."""
        ...

    def reset(self, reason: ResetReason) -> bytes:
        """Say that what was told before is void."""
        ...

    def part(self, at: int, number: int, rows: Sequence[bytes], *, is_last: bool) -> bytes:
        """Show some jobs, as JSON texts, as they stood at event ``at``; ``number`` is from 1."""
        ...

    def events(self, after: int, upto: int, told: Sequence[Told]) -> bytes:
        """Show the events behind ``after`` up to ``upto``, at least one."""
        ...

    def bookmark(self, after: int, upto: int) -> bytes:
        """Say that there is nothing to tell behind ``after`` up to ``upto``."""
        ...


class SocketFace:
    """Messages of ``hub.v1`` for the subscription ``name``, each as a WebSocket frame."""

    def __init__(self, name: str, epoch: str) -> None:
        self.key = name
        self._name = name
        self._epoch = epoch

    def subscribed(self, beginning: Beginning) -> bytes:
        """Say how it begins."""
        return _text(
            Subscribed(
                id=self._name,
                mode=beginning.mode,
                from_=self._place(beginning.at),
                head=self._place(beginning.head),
                retained_from=self._place(beginning.floor),
                reset=beginning.reset,
            )
        )

    def reset(self, reason: ResetReason) -> bytes:
        """Say that what was told before is void."""
        return _text(Reset(id=self._name, reason=reason))

    def part(self, at: int, number: int, rows: Sequence[bytes], *, is_last: bool) -> bytes:
        """Show some jobs."""
        shown = [msgspec.Raw(row) for row in rows]
        place = self._place(at)
        return _text(Snapshot(id=self._name, at=place, part=number, last=is_last, jobs=shown))

    def events(self, after: int, upto: int, told: Sequence[Told]) -> bytes:
        """Show events."""
        return text_frame(events_frame(self._name, self._epoch, after, upto, list(told)))

    def bookmark(self, after: int, upto: int) -> bytes:
        """Say that there is nothing to tell."""
        before, now = self._place(after), self._place(upto)
        return _text(Bookmark(id=self._name, from_=before, cursor=now))

    def _place(self, gseq: int) -> str:
        return str(Cursor(self._epoch, gseq))


def _text(frame: ServerFrame) -> bytes:
    return text_frame(encode(frame))
