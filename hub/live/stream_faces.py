"""Events as an endless answer over HTTP: server-sent events, and JSON line by line.

Server-sent events are those of the HTML standard (9.2); ``id`` is a cursor, so that a browser that
comes back says by itself where it was. A line is one JSON object; the last member of an event is
its cursor.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from channels.conflation import Told
from channels.encoding import shown
from channels.events import Cursor
from channels.protocol.frames import ResetReason
from hub.live.faces import Beginning, Face

RETRY_MS = 2_000
"""How long a browser waits before it comes back."""

_encode = msgspec.json.Encoder().encode


class StreamFace(Face, Protocol):
    """A form of an answer that does not end.

    Attributes:
        media_type: Its name in ``Accept`` and ``Content-Type``.
        heartbeat: What keeps the connection alive; empty where only a bookmark can.
    """

    media_type: str
    heartbeat: bytes

    def greeting(self) -> bytes:
        """Say what comes first of all."""
        ...

    def farewell(self, retry_ms: int) -> bytes:
        """Say when to come back, where there is a word for it."""
        ...


class SseFace:
    """Server-sent events.

    What is only complete together with what follows has no ``id``: who is cut off in between begins
    with it again.
    """

    media_type = "text/event-stream"
    heartbeat = b": hb\n\n"
    key = media_type

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def greeting(self) -> bytes:
        """Say when to come back."""
        return b"retry: %d\n\n" % RETRY_MS

    def farewell(self, retry_ms: int) -> bytes:
        """Say when to come back this time."""
        return b"retry: %d\n\n" % retry_ms

    def subscribed(self, beginning: Beginning) -> bytes:
        """Say that what was told before is void, if it is."""
        return self.reset(beginning.reset) if beginning.reset else b""

    def reset(self, reason: ResetReason) -> bytes:
        """Say that what was told before is void."""
        return b"event: reset\ndata: %s\n\n" % _reset(reason)

    def part(self, at: int, number: int, rows: Sequence[bytes], *, is_last: bool) -> bytes:
        """Show some jobs."""
        place = self._id(at) if is_last else b""
        shown_rows = _snapshot(self._epoch, at, number, rows, is_last=is_last)
        return b"%sevent: snapshot\ndata: %s\n\n" % (place, shown_rows)

    def events(self, after: int, upto: int, told: Sequence[Told]) -> bytes:
        """Show events."""
        del after, upto
        return b"".join(map(self._event, told))

    def bookmark(self, after: int, upto: int) -> bytes:
        """Say that there is nothing to tell."""
        del after
        data = _bookmark(self._epoch, upto)
        return b"%sevent: bookmark\ndata: %s\n\n" % (self._id(upto), data)

    def _event(self, told: Told) -> bytes:
        name = b"job.progress" if told.event.kind == "p" else b"job.transition"
        place = self._id(told.event.gseq)
        return b"%sevent: %s\ndata: %s\n\n" % (place, name, one_line(shown(told)))

    def _id(self, gseq: int) -> bytes:
        return f"id: {Cursor(self._epoch, gseq)}\n".encode()


class LinesFace:
    """One JSON object a line."""

    media_type = "application/x-ndjson"
    heartbeat = b""  # readers of such lines trip over empty ones
    key = media_type

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def greeting(self) -> bytes:
        """Say nothing."""
        return b""

    def farewell(self, retry_ms: int) -> bytes:
        """Say nothing."""
        del retry_ms
        return b""

    def subscribed(self, beginning: Beginning) -> bytes:
        """Say that what was told before is void, if it is."""
        return self.reset(beginning.reset) if beginning.reset else b""

    def reset(self, reason: ResetReason) -> bytes:
        """Say that what was told before is void."""
        return _reset(reason) + b"\n"

    def part(self, at: int, number: int, rows: Sequence[bytes], *, is_last: bool) -> bytes:
        """Show some jobs."""
        return _snapshot(self._epoch, at, number, rows, is_last=is_last) + b"\n"

    def events(self, after: int, upto: int, told: Sequence[Told]) -> bytes:
        """Show events."""
        del after, upto
        return b"".join(map(self._event, told))

    def bookmark(self, after: int, upto: int) -> bytes:
        """Say that there is nothing to tell."""
        del after
        return _bookmark(self._epoch, upto) + b"\n"

    def _event(self, told: Told) -> bytes:
        place = f',"cursor":"{Cursor(self._epoch, told.event.gseq)}"}}\n'
        return one_line(shown(told))[:-1] + place.encode()


FACES: dict[str, Callable[[str], StreamFace]] = {
    face.media_type: face for face in (LinesFace, SseFace)
}
"""The forms by media type, made with the epoch of the log; the first is for who does not say."""


def one_line(text: bytes) -> bytes:
    """Return JSON without line breaks, which mean nothing in it.

    A worker's body is stored as it came, line breaks and all; inside its texts there are none.
    """
    if b"\n" in text or b"\r" in text:
        text = text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text


def _reset(reason: ResetReason) -> bytes:
    return _encode({"type": "reset", "reason": reason})


def _bookmark(epoch: str, at: int) -> bytes:
    return _encode({"type": "bookmark", "cursor": str(Cursor(epoch, at))})


def _snapshot(epoch: str, at: int, number: int, rows: Sequence[bytes], *, is_last: bool) -> bytes:
    head = {"type": "snapshot", "at": str(Cursor(epoch, at)), "part": number, "last": is_last}
    return one_line(b'%s,"jobs":[%s]}' % (_encode(head)[:-1], b",".join(rows)))
