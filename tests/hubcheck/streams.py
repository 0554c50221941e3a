"""A history told as subscriptions: what each was sent, the same for all faces."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tests.hubcheck.history import (
    Applied,
    Client,
    Close,
    Frame,
    History,
    Refused,
    Subscribe,
)

FIRST_OF_PLAIN = frozenset({"progress", "finish", "error", "cancel"})
"""What the first message of a plain socket can be called when it tells how the job stands."""


class Shown(Struct, frozen=True, kw_only=True):
    """An event as it was sent; ``skip`` is ``None`` where the face has none.

    ``said`` are the members of the message that the log has too, under the names of its columns.
    """

    g: int
    job: int
    seq: int
    tseq: int
    skip: int | None
    entered: bool
    left: bool
    said: dict[str, Any]


class Step(Struct, frozen=True, kw_only=True):
    """Something that was sent: when, and in which line of the history."""

    at: float
    line: int


class Batch(Step, frozen=True, kw_only=True):
    """Events; ``begins`` is the cursor that it goes on from, where the face says so."""

    begins: str | None
    to: str
    events: tuple[Shown, ...]


class Snap(Step, frozen=True, kw_only=True):
    """A part of the present state; ``jobs`` are rows with ``pk``, ``seq`` and more."""

    cursor: str
    part: int
    is_last: bool
    jobs: tuple[dict[str, Any], ...]


class Mark(Step, frozen=True, kw_only=True):
    """Everything up to ``cursor`` was sent; ``begins`` as in a batch."""

    cursor: str
    begins: str | None = None


class Restart(Step, frozen=True, kw_only=True):
    """What was told before is void; the present state follows."""

    reason: str


class Stored(Step, frozen=True, kw_only=True):
    """The client had handled all up to ``cursor``; this is its own doing."""

    cursor: str


AnyStep = Batch | Snap | Mark | Restart | Stored


class Session(Struct, kw_only=True):
    """A subscription on one connection.

    Attributes:
        line: Of the history, where it was asked for.
        mode: ``resume``, ``snapshot`` or ``live``, ``None`` while the hub has not said.
        begins: The cursor it begins behind, where the hub said so.
        head: Where the log ended at that moment, where the hub said so.
        reset: Why a given cursor was not honoured.
        refused: Status and code of a handshake that was refused.
        ended_at: When its connection or itself ended, if it did.
    """

    client: Client
    asked: Subscribe
    line: int
    mode: str | None = None
    begins: str | None = None
    head: str | None = None
    reset: str | None = None
    refused: tuple[int, str] | None = None
    ended_at: float | None = None
    steps: list[AnyStep] = msgspec.field(default_factory=list)

    @property
    def has_frames(self) -> bool:
        """Whether this face tells cursors of frames, skips, entered and left."""
        return self.client.face != "plain"


def sessions(history: History) -> list[Session]:
    """Return the sessions of a history, in the order in which they began; ``workers`` left out."""
    told = _Telling(history.client)
    for number, record in enumerate(history.records, 1):
        told.take(record, number)
    return [session for session in told.all if session.asked.topic != "workers"]


def subscriptions(history: History) -> dict[str, list[Session]]:
    """Return the sessions of each subscription, in order."""
    found: dict[str, list[Session]] = {}
    for session in sessions(history):
        found.setdefault(session.asked.sub, []).append(session)
    return found


def cursors(session: Session) -> Iterator[tuple[int, str]]:
    """Return every cursor that a client could have stored, each with its line."""
    if session.begins is not None and session.mode != "snapshot":
        yield session.line, session.begins
    for step in session.steps:
        match step:
            case Batch(line=line, to=cursor) | Mark(line=line, cursor=cursor):
                yield line, cursor
            case Snap(line=line, cursor=cursor, is_last=True):
                yield line, cursor
            case _:
                pass


def shown_in(session: Session) -> Iterator[tuple[int, Shown]]:
    """Return every event that was sent, each with its line."""
    for step in session.steps:
        for event in step.events if isinstance(step, Batch) else ():
            yield step.line, event


def last_cursor(session: Session, before: str | None) -> str | None:
    """Return the newest cursor that a client got; ``before`` when it got none."""
    return next((cursor for _, cursor in reversed([*cursors(session)])), before)


class _Telling:
    """Reads records one by one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.all: list[Session] = []
        self._open: dict[tuple[int, str], Session] = {}

    def take(self, record: object, line: int) -> None:
        match record:
            case Subscribe():
                made = Session(client=self._client, asked=record, line=line)
                self.all.append(made)
                self._open[record.conn, record.sub] = made
            case Refused(conn=conn, sub=sub) if (conn, sub) in self._open:
                session = self._open.pop((conn, sub))
                session.refused, session.ended_at = (record.status, record.code), record.at
            case Close():
                self._close(record)
            case Applied():
                self._applied(record, line)
            case Frame():
                self._frame(record, line)
            case _:
                pass

    def _close(self, record: Close) -> None:
        for key in [key for key in self._open if key[0] == record.conn]:
            self._open.pop(key).ended_at = record.at

    def _applied(self, record: Applied, line: int) -> None:
        stored = Stored(at=record.at, line=line, cursor=record.cursor)
        for (_, name), session in self._open.items():
            if name == record.sub:
                session.steps.append(stored)

    def _frame(self, record: Frame, line: int) -> None:
        name = record.sub or record.frame.get("id")
        session = self._open.get((record.conn, name)) if name else None
        if session is None:
            return
        if self._client.face == "plain":
            _plain(session, record, line)
        elif "op" in record.frame:
            self._told(session, record, line)
        else:
            event = shown(record.frame)
            to = record.frame["cursor"]
            session.steps.append(
                Batch(at=record.at, line=line, begins=None, to=to, events=(event,))
            )

    def _told(self, session: Session, record: Frame, line: int) -> None:
        frame, at, steps = record.frame, record.at, session.steps
        match frame["op"]:
            case "subscribed":
                session.mode, session.begins = frame["mode"], frame["from"]
                session.head, session.reset = frame["head"], frame.get("reset")
            case "snapshot":
                steps.append(
                    Snap(
                        at=at,
                        line=line,
                        cursor=frame["at"],
                        part=frame["part"],
                        is_last=frame["last"],
                        jobs=tuple(frame["jobs"]),
                    )
                )
            case "events":
                events = tuple(map(shown, frame["events"]))
                begins, to = frame["from"], frame["to"]
                steps.append(Batch(at=at, line=line, begins=begins, to=to, events=events))
            case "bookmark":
                begins, to = frame.get("from"), frame["cursor"]
                steps.append(Mark(at=at, line=line, cursor=to, begins=begins))
            case "reset":
                steps.append(Restart(at=at, line=line, reason=frame["reason"]))
            case "end":
                session.ended_at = at
                del self._open[record.conn, session.asked.sub]
            case _:
                pass


SAID = {
    "transition": "type",
    "from_status": "from_status",
    "to_status": "to_status",
    "attempt": "attempt",
    "node": "node",
    "progress_amount": "progress",
    "n": "n",
    "data": "data",
}


def shown(event: dict[str, Any]) -> Shown:
    """Return an event of ``hub.v1``."""
    return Shown(
        g=event["g"],
        job=event["job"],
        seq=event["seq"],
        tseq=event["tseq"],
        skip=event["skip"],
        entered=event.get("entered", False),
        left=event.get("left", False),
        said={SAID[name]: value for name, value in event.items() if name in SAID},
    )


def _plain(session: Session, record: Frame, line: int) -> None:
    """Take a message of the plain job socket; its first one may tell how the job stands."""
    said = record.frame
    cursor = said["cursor"]
    # Without a cursor nobody can tell an event of that name from the state that it led to.
    if not session.steps and session.asked.cursor is None:
        session.mode = "snapshot" if said["transition"] in FIRST_OF_PLAIN else "live"
        if session.mode == "snapshot":
            row = {name: said[name] for name in ("pk", "progress", "seq", "tseq")}
            snap = Snap(at=record.at, line=line, cursor=cursor, part=1, is_last=True, jobs=(row,))
            session.steps.append(snap)
            return
    event = Shown(
        g=int(cursor.rpartition(":")[2]),
        job=said["pk"],
        seq=said["seq"],
        tseq=said["tseq"],
        skip=None,
        entered=False,
        left=False,
        said={"progress": said["progress"], "node": said.get("node")}
        | {"plain": said["transition"], "body": said["transition_data"]},
    )
    session.steps.append(Batch(at=record.at, line=line, begins=None, to=cursor, events=(event,)))


def alive(found: Sequence[Session], start: float, end: float) -> list[Session]:
    """Return the sessions that were open from ``start`` to ``end``."""
    return [
        session
        for session in found
        if session.asked.at <= start
        and session.refused is None
        and (session.ended_at is None or session.ended_at > end)
    ]
