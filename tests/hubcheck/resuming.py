"""Cursors that clients come back with: P9 and P10."""

from collections.abc import Iterator

from tests.hubcheck.history import History
from tests.hubcheck.oracle import Oracle, place
from tests.hubcheck.streams import Restart, Session, sessions
from tests.hubcheck.violations import Fault, named
from tests.hubcheck.windows import is_of


@named("P9")
def every_cursor_resumes(history: History, oracle: Oracle) -> Iterator[Fault]:
    """Whoever comes with a cursor that the log still reaches is let go on from there."""
    for session in sessions(history):
        given = session.asked.cursor
        if given is None or not _is_good(given, oracle):
            continue
        if session.refused is not None and session.refused[1] == "cursor_gone":
            yield session.line, f"cursor {given} was refused as gone"
        elif session.mode not in (None, "resume") and session.asked.snapshot != "always":
            yield session.line, f"cursor {given} was answered by {session.mode}, not resumed"


def _is_good(cursor: str, oracle: Oracle) -> bool:
    epoch, g = place(cursor)
    return epoch == oracle.epoch and oracle.floor <= g <= oracle.head


@named("P10")
def resets_have_a_reason(history: History, oracle: Oracle) -> Iterator[Fault]:
    """A cursor is not honoured for a true reason only, and is not honoured where there is one."""
    for session in sessions(history):
        given = session.asked.cursor
        for line, reason in _resets(session):
            if not _is_true(reason, given, session, oracle):
                yield line, f"reset because of {reason!r}, but the cursor was {given}"
        is_told = session.reset is not None or session.mode is None
        if given and is_of(oracle, session) and place(given).epoch != oracle.epoch and not is_told:
            yield session.line, f"cursor {given} was honoured in epoch {oracle.epoch}"


def _resets(session: Session) -> Iterator[Fault]:
    if session.reset is not None:
        yield session.line, session.reset
    for step in session.steps:
        if isinstance(step, Restart):
            yield step.line, step.reason
    if session.refused is not None and session.refused[0] == 410:
        yield session.line, "any"


def _is_true(reason: str, given: str | None, session: Session, oracle: Oracle) -> bool:
    """Judge a reason by the log as it is now: its floor and its head only rise."""
    if given is None:
        # A slow one may fall behind what the log keeps.
        return reason == "expired" and oracle.floor > 0
    epoch, g = place(given)
    head = place(session.head).g if session.head is not None else oracle.head
    reasons = {
        "epoch": epoch != oracle.epoch,
        "expired": epoch == oracle.epoch and g < oracle.floor,
        "cursor_ahead": epoch == oracle.epoch and g > head,
    }
    return any(reasons.values()) if reason == "any" else reasons.get(reason, False)
