"""A hub for one subscription, a network that does everything wrong, and a client that remembers.

The hub answers by the rules of the protocol; its log is the oracle. The watcher does what the
client's machine tells it, and compares at each cursor that it stores what it has with the log.
"""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct, field

from channels.protocol.codec import decode_said, encode
from channels.protocol.frames import (
    Bookmark,
    ClientFrame,
    Event,
    Events,
    Hello,
    Reset,
    ServerFrame,
    Snapshot,
    StatusName,
    Subscribe,
    Subscribed,
)
from channels.protocol.orders import Apply, Forget, Leave, Order, Say, Store, Swap
from channels.protocol.subscribing import shows_progress, shows_transitions

STATUSES: tuple[StatusName, ...] = ("QUEUED", "RUNNING", "COMPLETED")


class Happening(Struct, frozen=True):
    """An event of the log, with the status of its job before and after."""

    g: int
    job: int
    seq: int
    tseq: int
    is_transition: bool
    before: StatusName | None
    after: StatusName


class Hub:
    """The log, and the hub's end of one subscription."""

    def __init__(self, wish: Subscribe) -> None:
        self.wish = wish
        self.log: list[Happening] = []
        self.epoch = 1
        self.epoch_began = 0
        self.floor = 0
        self.wire: list[bytes] = []
        self.position: int | None = None
        self.rows_to_come: list[int] | None = None
        self.part = 0

    @property
    def head(self) -> int:
        return len(self.log)

    def cursor(self, g: int) -> str:
        return f"{self.epoch}:{g}"

    # --- The log ----------------------------------------------------------------------------------

    def happen(self, job: int, to_status: StatusName | None) -> None:
        last = self.newest(job)
        before = last.after if last else None
        is_transition = to_status is not None or last is None
        self.log.append(
            Happening(
                self.head + 1,
                job,
                (last.seq if last else 0) + 1,
                (last.tseq if last else 0) + is_transition,
                is_transition,
                before,
                to_status or before or "QUEUED",
            )
        )

    def newest(self, job: int, upto: int | None = None) -> Happening | None:
        events = self.log[:upto]
        return next((event for event in reversed(events) if event.job == job), None)

    def jobs(self) -> list[int]:
        return sorted({event.job for event in self.log})

    def matches(self, status: StatusName | None) -> bool:
        wanted = self.wish.filter.status
        return status is not None and (not wanted or status in wanted)

    def shows(self, event: Happening) -> bool:
        concerns = self.matches(event.after) or self.matches(event.before)
        wanted = shows_transitions if event.is_transition else shows_progress
        return concerns and wanted(self.wish)

    def row(self, job: int) -> dict[str, Any] | None:
        last = self.newest(job)
        if last is None or not self.matches(last.after):
            return None
        return {"pk": job, "status": last.after, "seq": last.seq, "tseq": last.tseq}

    # --- The subscription -------------------------------------------------------------------------

    def greet(self) -> None:
        self.wire = []
        self.position = None
        self.rows_to_come = None
        self.tell(Hello(conn="c", epoch=str(self.epoch), auth="ok"))

    def hear(self, frame: ClientFrame) -> None:
        said = decode_said(encode(frame).decode())
        assert isinstance(said, Subscribe)
        reset = None if said.cursor is None else self.why_not(said.cursor)
        if said.cursor is not None and reset is None and said.snapshot != "always":
            self.position = int(said.cursor.partition(":")[2])
            self.answer("resume", self.position, None)
        elif said.snapshot == "never":
            self.position = self.head
            self.answer("live", self.position, reset)
        else:
            self.answer("snapshot", self.head, reset)
            self.start_snapshot()

    def why_not(self, cursor: str) -> Literal["expired", "epoch", "cursor_ahead"] | None:
        epoch, _, g = cursor.partition(":")
        if int(epoch) != self.epoch:
            return "epoch"
        if int(g) > self.head:
            return "cursor_ahead"
        return "expired" if int(g) < self.floor else None

    def answer(self, mode: Any, g: int, reset: Any) -> None:
        self.tell(
            Subscribed(
                id="s",
                mode=mode,
                from_=self.cursor(g),
                head=self.cursor(self.head),
                retained_from=self.cursor(self.floor),
                reset=reset,
            )
        )

    def start_snapshot(self) -> None:
        self.position = self.head
        self.rows_to_come = self.jobs()
        self.part = 0

    @property
    def has_said_all(self) -> bool:
        return self.rows_to_come is None and self.position == self.head

    def send(self, most: int) -> None:
        """Say the next thing, if the subscription has begun."""
        if self.position is None:
            return
        if self.rows_to_come is not None:
            self.send_part(most)
        elif self.position < self.head and self.shows(self.log[self.position]):
            self.send_events(most)
        else:
            self.bookmark()

    def send_part(self, most: int) -> None:
        """Send a page of the snapshot; the rows are as they are now, the cursor as it was."""
        assert self.rows_to_come is not None
        assert self.position is not None
        page, self.rows_to_come = self.rows_to_come[:most], self.rows_to_come[most:]
        self.part += 1
        rows = [row for row in map(self.row, page) if row is not None]
        is_last = not self.rows_to_come
        at = self.cursor(self.position)
        self.tell(Snapshot(id="s", at=at, part=self.part, last=is_last, jobs=rows))
        if is_last:
            self.rows_to_come = None

    def send_events(self, most: int) -> None:
        assert self.position is not None
        upto = min(self.head, self.position + most)
        shown = list(self.shown(self.position, upto))
        self.tell(
            Events(id="s", from_=self.cursor(self.position), to=self.cursor(upto), events=shown)
        )
        self.position = upto

    def shown(self, after: int, upto: int) -> Iterator[Event]:
        window = [event for event in self.log[after:upto] if self.shows(event)]
        latest = {event.job: event for event in window if not event.is_transition}
        last_shown: dict[int, int] = {}
        for event in window:
            superseded = not event.is_transition and latest[event.job] is not event
            if superseded and self.wish.progress != "all":
                continue
            told = self.newest(event.job, after)
            base = last_shown.get(event.job, told.seq if told else 0)
            last_shown[event.job] = event.seq
            yield self.as_frame(event, event.seq - base - 1)

    def as_frame(self, event: Happening, skip: int) -> Event:
        matched, matches = self.matches(event.before), self.matches(event.after)
        return Event(
            g=event.g,
            job=event.job,
            seq=event.seq,
            tseq=event.tseq,
            skip=skip,
            type="job.transition" if event.is_transition else "job.progress",
            transition="x",
            from_status=event.before,
            to_status=event.after,
            time="",
            attempt=1,
            node=None,
            progress_amount=0.0,
            n=1,
            data=None,
            entered=matches and not matched and event.before is not None,
            left=matched and not matches,
        )

    def bookmark(self) -> None:
        """Say that nothing is missing up to the head, as far as nothing there concerns anybody."""
        assert self.position is not None
        upto = self.position
        while upto < self.head and not self.shows(self.log[upto]):
            upto += 1
        self.tell(Bookmark(id="s", from_=self.cursor(self.position), cursor=self.cursor(upto)))
        self.position = upto

    def rotate(self) -> None:
        """Begin a new epoch: all cursors are void."""
        self.epoch += 1
        if self.position is not None:
            self.reset("epoch")

    def trim(self) -> None:
        self.floor = self.head
        if self.position is not None and self.position < self.floor:
            self.reset("expired")

    def reset(self, reason: Literal["expired", "epoch"]) -> None:
        if self.wish.snapshot == "never":
            self.position = None  # the hub closes; the client comes back with its cursor
            return
        self.tell(Reset(id="s", reason=reason))
        self.start_snapshot()

    def tell(self, frame: ServerFrame) -> None:
        self.wire.append(encode(frame))


class Seen(Struct):
    """What a watcher has: the base that it was given, and every event since."""

    base: int | None = None
    epoch: int = 0
    rows: dict[int, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


class Owner:
    """Does what the client's machine says, and notices what is wrong."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.seen = Seen()
        self.is_connected = False
        self.is_harmed = False
        self.stored: str | None = None

    def do(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Say(frame=frame):
                    self.hub.hear(frame)
                case Forget():
                    self.seen = Seen()
                case Swap(rows=rows, at=at):
                    base = int(at.partition(":")[2])
                    self.seen = Seen(base, rows={row["pk"]: row["seq"] for row in rows})
                    self.compare_rows()
                case Apply(event=event):
                    self.apply(event)
                case Store(cursor=cursor):
                    self.stored = cursor
                    self.compare(int(cursor.partition(":")[2]))
                case Leave(why=why):
                    assert self.is_harmed, f"a false alarm: {why}"
                    self.is_connected = False
                case _:
                    raise AssertionError(order)

    def apply(self, event: Event) -> None:
        known = [old.seq for old in self.seen.events if old.job == event.job]
        known.append(self.seen.rows.get(event.job, 0))
        assert event.seq > max(known), "twice, or out of order"
        self.seen.events.append(event)

    def compare_rows(self) -> None:
        since = {event.job for event in self.hub.log[self.seen.base :]}
        must = {job for job in self.hub.jobs() if job not in since and self.hub.row(job)}
        assert must <= self.seen.rows.keys(), "jobs missing from the snapshot"

    def compare(self, upto: int) -> None:
        if self.seen.base is None:
            self.seen.base = upto
        had = {event.g for event in self.seen.events}
        due = [
            event
            for event in self.hub.log[self.seen.base : upto]
            if self.hub.shows(event) and event.seq > self.seen.rows.get(event.job, 0)
        ]
        newest = {event.job: event.g for event in due if not event.is_transition}
        must = {
            event.g
            for event in due
            if event.is_transition
            or self.hub.wish.progress == "all"
            or newest[event.job] == event.g
        }
        assert must <= had, "missed without a sign"
        assert had <= {event.g for event in due}, "events that nobody should have seen"
