"""Which part of the log each message speaks for."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.hubcheck.oracle import Logged, Oracle, place
from tests.hubcheck.streams import Batch, Mark, Restart, Session, Shown, Snap


class Window(NamedTuple):
    """The events with ``after < g <= upto``, and those of them that were sent in this message."""

    after: int
    upto: int
    shown: tuple[Shown, ...]
    at: float
    line: int

    def has(self, event: Logged) -> bool:
        """Say whether ``event`` was shown."""
        return any(one.g == event.g for one in self.shown)


def windows(session: Session) -> Iterator[Window]:
    """Return what is covered, message by message; nothing before the place is known."""
    position = start(session)
    for step in session.steps:
        match step:
            case Restart():
                position = None
            case Snap():
                position = place(step.cursor).g if step.is_last else None
            case Batch(to=to) | Mark(cursor=to):
                upto = place(to).g
                if position is not None:
                    events = step.events if isinstance(step, Batch) else ()
                    yield Window(position, upto, events, step.at, step.line)
                position = upto
            case _:
                pass


def start(session: Session) -> int | None:
    """Return the number behind which a session began; ``None``: where its snapshot says."""
    if session.refused is not None or session.mode == "snapshot":
        return None
    if session.begins is not None:
        return place(session.begins).g
    if session.asked.cursor is not None:
        return place(session.asked.cursor).g
    return None


def reached(session: Session, by: float) -> int | None:
    """Return the number up to which all was sent at a time."""
    position = start(session)
    for step in session.steps:
        if step.at > by:
            break
        match step:
            case Restart():
                position = None
            case Snap(is_last=True, cursor=cursor) | Batch(to=cursor) | Mark(cursor=cursor):
                position = place(cursor).g
            case _:
                pass
    return position


def is_of(oracle: Oracle, session: Session) -> bool:
    """Say whether a session is of the log as it is now; another epoch's numbers tell nothing."""
    said = [session.begins, *(s.cursor for s in session.steps if isinstance(s, Snap))]
    said += [s.to for s in session.steps if isinstance(s, Batch)]
    return all(place(cursor).epoch == oracle.epoch for cursor in said if cursor is not None)
