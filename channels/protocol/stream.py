"""One subscription as its client sees it: the checks that prove that nothing is missing.

The rules are those that the hub guarantees. (1) The messages form a chain: each says where the one
before it ended. (2) The numbers of the log grow. (3) The numbers of a job leave no hole but those
that ``skip`` tells of, and its transitions none at all. (4) What is known already is not news.
"""

from enum import Enum, auto
from typing import Any

from msgspec import UNSET, Struct, ValidationError, convert, structs

from channels.protocol.frames import (
    Bookmark,
    Event,
    Events,
    Reset,
    ResetReason,
    Snapshot,
    Subscribe,
    Subscribed,
    Workers,
)
from channels.protocol.orders import Apply, Forget, Order, Presence, Store, Swap
from channels.protocol.subscribing import shows_progress, shows_transitions

JOBS_KNOWN_MAX = 100_000
"""Of so many jobs the last numbers are kept; the one unheard of the longest is forgotten."""


class Broken(Exception):
    """What came breaks a rule: something was lost, doubled or out of order."""


class Known(Struct, frozen=True):
    """The last numbers of a job, from an event (``is_shown``) or from its row in a snapshot.

    Rows may be newer than the cursor of their snapshot; events between the two come again, and what
    ``skip`` counts then began before the row.
    """

    seq: int
    tseq: int
    is_shown: bool = True


class _Row(Struct, frozen=True):
    pk: int
    seq: int
    tseq: int


class Stage(Enum):
    """What may come next."""

    ASKED = auto()
    """Only the answer to the subscription."""

    FILLING = auto()
    """Only parts of a snapshot."""

    FLOWING = auto()
    """Events and bookmarks."""


class Stream:
    """The state of one subscription; it outlives connections.

    Each method takes a message and returns what to do. One that raises ``Broken`` has changed
    nothing that the next connection builds on.

    Args:
        wish: The subscription; its ``cursor`` is where to begin.
    """

    def __init__(self, wish: Subscribe) -> None:
        self._wish = wish
        self.cursor = wish.cursor
        self._is_of_nodes = wish.topic == "workers"
        self._every_event_counts = shows_transitions(wish) and shows_progress(wish)
        self._transitions_count = shows_transitions(wish)
        self._stage = Stage.ASKED
        self._at = ""
        self._last_g = 0
        self._known: dict[int, Known] = {}  # the one unheard of the longest comes first
        self._parts: list[Snapshot] = []
        self._presence_n = 0

    def ask(self) -> Subscribe:
        """Begin on a new connection: return the subscription, from where the last one got to."""
        self._stage = Stage.ASKED
        self._parts = []
        self._presence_n = 0
        return structs.replace(self._wish, cursor=self.cursor)

    def subscribed(self, frame: Subscribed) -> list[Order]:
        """Take the answer to the subscription."""
        if self._stage is not Stage.ASKED:
            raise Broken("subscribed twice")
        if self._is_of_nodes:
            self._stage = Stage.FLOWING
            return []
        if frame.mode == "resume":
            return self._resume(frame)
        if self.cursor is not None and frame.reset is None and self._wish.snapshot != "always":
            raise Broken("the cursor was passed over without a reason")
        orders = [] if frame.reset is None else self._forget(frame.reset)
        if frame.mode == "snapshot":
            self._stage = Stage.FILLING
            return orders
        self._flow_from(frame.from_)
        return [*orders, *self._advance(frame.from_)]

    def _resume(self, frame: Subscribed) -> list[Order]:
        if self.cursor is None or frame.from_ != self.cursor or frame.reset is not None:
            raise Broken(f"resumed from {frame.from_}, asked for {self.cursor}")
        self._flow_from(frame.from_)
        return []

    def reset(self, frame: Reset) -> list[Order]:
        """Forget everything; a snapshot follows, unless it was asked never to."""
        if self._stage is Stage.ASKED:
            raise Broken("reset before subscribed")
        if self._wish.snapshot != "never":
            self._stage = Stage.FILLING
        self._parts = []
        return self._forget(frame.reason)

    def snapshot(self, frame: Snapshot) -> list[Order]:
        """Collect a part; with the last one swap."""
        if self._stage is not Stage.FILLING:
            raise Broken("a part of a snapshot that was not announced")
        if frame.part != len(self._parts) + 1:
            raise Broken(f"part {frame.part} of the snapshot after {len(self._parts)}")
        if self._parts and frame.at != self._parts[0].at:
            raise Broken("parts of two snapshots")
        self._parts.append(frame)
        if not frame.last:
            return []
        rows: list[Any] = [row for part in self._parts for row in part.jobs]
        self._known = _known(rows)
        self._parts = []
        self._last_g = 0
        self._flow_from(frame.at)
        return [Swap(self._wish.id, frame.at, rows), *self._advance(frame.at)]

    def bookmark(self, frame: Bookmark) -> list[Order]:
        """Everything up to here has come."""
        if self._is_of_nodes:
            return []
        self._follows(frame.from_ if frame.from_ is not UNSET else self._at)
        self._at = frame.cursor
        return self._advance(frame.cursor)

    def events(self, frame: Events) -> list[Order]:
        """Check all events of a message, and only then let any of them be applied."""
        self._follows(frame.from_)
        orders: list[Order] = []
        last_g, changed = self._last_g, dict[int, Known | None]()
        for event in frame.events:
            if event.g <= last_g:
                raise Broken(f"event {event.g} of the log after {last_g}")
            last_g = event.g
            known = changed.get(event.job, self._known.get(event.job))
            if known is not None and event.seq <= known.seq:
                continue
            if known is not None and not event.entered:
                self._check(event, known)
            changed[event.job] = None if event.left else Known(event.seq, event.tseq)
            orders.append(Apply(self._wish.id, event))
        self._last_g = last_g
        self._learn(changed)
        self._at = frame.to
        return [*orders, *self._advance(frame.to)]

    def presence(self, frame: Workers) -> list[Order]:
        """Take news of the nodes, numbered on each connection from 1."""
        if self._stage is not Stage.FLOWING:
            raise Broken("news of the nodes before subscribed")
        if frame.n != self._presence_n + 1 or (frame.n == 1 and not frame.full):
            raise Broken(f"news {frame.n} of the nodes after {self._presence_n}")
        self._presence_n = frame.n
        return [Presence(self._wish.id, frame.full, frame.workers)]

    def _follows(self, from_: str) -> None:
        if self._stage is not Stage.FLOWING:
            raise Broken(f"a message of the stream while {self._stage.name.lower()}")
        if from_ != self._at:
            raise Broken(f"a message from {from_}, the one before it ended at {self._at}")

    def _check(self, event: Event, known: Known) -> None:
        passed = event.seq - known.seq - 1 - event.skip
        if self._every_event_counts and (passed > 0 or (passed < 0 and known.is_shown)):
            raise Broken(
                f"event {event.seq} of job {event.job} after {known.seq}, {event.skip} left out"
            )
        steps = 1 if event.type == "job.transition" else 0
        made = event.tseq - known.tseq
        if made < steps or (self._transitions_count and made != steps):
            raise Broken(
                f"transition {event.tseq} of job {event.job} after {known.tseq} ({event.type})"
            )

    def _learn(self, changed: dict[int, Known | None]) -> None:
        for job, known in changed.items():
            self._known.pop(job, None)
            if known is not None:
                self._known[job] = known
        while len(self._known) > JOBS_KNOWN_MAX:
            del self._known[next(iter(self._known))]

    def _forget(self, reason: ResetReason) -> list[Order]:
        self._known = {}
        self._last_g = 0
        return [Forget(self._wish.id, reason)]

    def _flow_from(self, cursor: str) -> None:
        self._stage = Stage.FLOWING
        self._at = cursor

    def _advance(self, cursor: str) -> list[Order]:
        """Store the cursor behind what came; the next connection begins there."""
        if cursor == self.cursor:
            return []
        self.cursor = cursor
        return [Store(self._wish.id, cursor)]


def _known(rows: list[Any]) -> dict[int, Known]:
    try:
        jobs = convert(rows, list[_Row])
    except ValidationError as error:
        raise Broken(f"a row of the snapshot is none: {error}") from error
    return {job.pk: Known(job.seq, job.tseq, is_shown=False) for job in jobs}
