"""What the streams over HTTP tell: a line of NDJSON, or the data of a server-sent event.

Both hold the same JSON. With server-sent events ``type`` also stands in the field ``event``, and
the cursor in ``id``.
"""

from typing import Any

import msgspec

from channels.protocol.frames import Event, ResetReason


class StreamLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Any line that is not an event."""


class EventLine(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a job; ``cursor`` is the place behind it. For other members see ``Event``."""

    cursor: str


class BookmarkLine(StreamLine, frozen=True, kw_only=True, tag="bookmark"):
    """Everything up to ``cursor`` was told."""

    cursor: str


class ResetLine(StreamLine, frozen=True, kw_only=True, tag="reset"):
    """Forget what this stream told: the present state follows."""

    reason: ResetReason


class SnapshotLine(StreamLine, frozen=True, kw_only=True, tag="snapshot"):
    """A part of the present state, true at ``cursor``; the ``last`` one completes it.

    ``jobs`` are short rows with ``pk``, ``status``, ``seq``, ``tseq`` and more.
    """

    cursor: str
    part: int
    last: bool
    jobs: list[Any]


Line = EventLine | BookmarkLine | ResetLine | SnapshotLine
"""What may come."""
