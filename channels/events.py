"""What happened to a job, and a place in the story of all jobs."""

import re
from collections.abc import Callable
from typing import Self

from msgspec import Struct, field

MAX_GSEQ = 2**63 - 1

_EPOCH = re.compile(r"[a-z0-9]{1,32}")
_CURSOR = re.compile(r"v1:([a-z0-9]{1,32}):(0|[1-9][0-9]{0,18})")


class About(Struct, frozen=True, gc=False):
    """What is always true of a job, whatever happens to it; its events bring it along.

    ``labels`` is the JSON text of an object of texts.
    """

    description: str
    template: int
    creator: int | None
    parent: int | None
    labels: str


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One committed change of one job, as it stands in the log.

    Attributes:
        gseq: Place in the log of all jobs, from 1, dense, in the order of commit.
        job: Key of the job.
        seq: Place among the events of this job, from 1, dense.
        tseq: Transitions of this job up to and including this event.
        kind: ``t`` for a transition, ``p`` for progress.
        type: Name of the transition on the wire (``create``, ``start``, ``progress``, ...).
        time_us: When it was decided, in microseconds since 1970 UTC.
        from_status: Status before it; ``None`` for the first event of a job.
        to_status: Status after it; ``None`` when it says nothing of the status.
        attempt: Which execution of the job it belongs to.
        node: Holder of the job after it; ``None`` for nobody.
        progress: The job's stored progress after it.
        n: Progress posts that this event stands for.
        data: JSON text: the worker's own body, untouched, for progress; for a transition an object
            with the job's short row after it as member ``row``.
        about: The job; ``None`` when it was removed for good.
        faces: Encodings made so far; see :meth:`face`.
    """

    gseq: int
    job: int
    seq: int
    tseq: int
    kind: str
    type: str
    time_us: int
    from_status: str | None
    to_status: str | None
    attempt: int
    node: int | None
    progress: float
    n: int = 1
    data: bytes
    about: About | None = None
    faces: dict[str, bytes] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The job's description; empty when it was removed for good."""
        return "" if self.about is None else self.about.description

    @property
    def weight(self) -> int:
        """Bytes that the event's own content takes, roughly; encodings of it not counted."""
        return len(self.data) + len(self.description)

    def face(self, name: str, encode: "Callable[[Event], bytes]") -> bytes:
        """Return this event as one kind of watcher sees it, encoded once for all of them.

        Args:
            name: Which kind; one name stands for one encoding.
            encode: Makes the bytes. It is called the first time only.
        """
        known = self.faces.get(name)
        if known is None:
            known = self.faces[name] = encode(self)
        return known


class BadCursor(ValueError):
    """This text is no cursor."""


class Cursor(Struct, frozen=True):
    """A place in the log, valid for all streams and filters; opaque to clients.

    Attributes:
        epoch: Which life of the log, 1 to 32 of ``a-z0-9``; numbers of two epochs do not compare.
        gseq: Everything up to this number has been seen, 0 to 2**63 - 1; 0 is before all events.

    Raises:
        BadCursor: A part is out of its range.
    """

    epoch: str
    gseq: int

    def __post_init__(self) -> None:
        if not _EPOCH.fullmatch(self.epoch) or not 0 <= self.gseq <= MAX_GSEQ:
            raise BadCursor(f"no cursor has epoch {self.epoch[:40]!r} and position {self.gseq}")

    def __str__(self) -> str:
        return f"v1:{self.epoch}:{self.gseq}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str(cursor)`` wrote, and nothing else: equal cursors are equal texts.

        Raises:
            BadCursor: The text has another shape, or its number is out of range.
        """
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise BadCursor(f"not a cursor: {text[:80]!r}")
        return cls(match[1], int(match[2]))
