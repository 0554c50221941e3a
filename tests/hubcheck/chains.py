"""Cursors of messages: P6 and P7."""

from collections.abc import Iterator

from tests.hubcheck.history import History
from tests.hubcheck.oracle import Oracle, place
from tests.hubcheck.streams import (
    AnyStep,
    Batch,
    Mark,
    Restart,
    Session,
    Snap,
    Stored,
    cursors,
    sessions,
    subscriptions,
)
from tests.hubcheck.violations import Fault, named
from tests.hubcheck.windows import is_of


@named("P6")
def frames_are_a_chain(history: History, oracle: Oracle) -> Iterator[Fault]:
    """Each message goes on where the one before ended, and holds only what it covers."""
    del oracle
    for found in subscriptions(history).values():
        issued: set[str] = set()
        for session in found:
            yield from _begin_faults(session, issued)
            yield from _chain_faults(session)
            issued |= {cursor for _, cursor in cursors(session)}


def _begin_faults(session: Session, issued: set[str]) -> Iterator[Fault]:
    given = session.asked.cursor
    if given is not None and issued and given not in issued:
        yield session.line, f"came back with {given}, which nobody had issued to it"
    if session.mode == "resume" and given is not None and session.begins not in (None, given):
        yield session.line, f"asked behind {given}, resumed behind {session.begins}"


def _chain_faults(session: Session) -> Iterator[Fault]:
    last = session.begins if session.mode != "snapshot" else None
    issued = {last}
    part = 0
    for step in session.steps:
        match step:
            case Snap():
                part += 1
                yield from _part_faults(step, part, last)
                part = 0 if step.is_last else part
            case Batch():
                yield from _link_faults(step, last)
            case Mark() if step.begins not in (None, last):
                yield step.line, f"goes on from {step.begins}, the one before ended at {last}"
            case Restart():
                part = 0
            case Stored() if step.cursor not in issued:
                yield step.line, f"stored {step.cursor}, which was not issued"
            case _:
                pass
        last = _ending(step, last)
        issued.add(last)


def _ending(step: AnyStep, last: str | None) -> str | None:
    """Return the cursor that the next message has to go on from."""
    match step:
        case Snap(cursor=cursor) | Batch(to=cursor) | Mark(cursor=cursor):
            return cursor
        case Restart():
            return None
        case _:
            return last


def _part_faults(step: Snap, part: int, last: str | None) -> Iterator[Fault]:
    if step.part != part:
        yield step.line, f"part {step.part} of a snapshot where {part} was due"
    if part > 1 and last != step.cursor:
        yield step.line, f"a snapshot at {last} goes on at {step.cursor}"


def _link_faults(batch: Batch, last: str | None) -> Iterator[Fault]:
    if batch.begins is not None and batch.begins != last:
        yield batch.line, f"goes on from {batch.begins}, the one before ended at {last}"
    after = place(batch.begins).g if batch.begins is not None else 0
    upto = place(batch.to).g
    if batch.begins is not None and not after <= upto:
        yield batch.line, f"from {after} back to {upto}"
    for event in batch.events:
        if not after < event.g <= upto:
            yield batch.line, f"event {event.g} in a message from {after} to {upto}"


@named("P7")
def bookmarks_keep_step(history: History, oracle: Oracle) -> Iterator[Fault]:
    """A cursor says that all up to it was sent: nothing older follows, and it never goes back."""
    for session in sessions(history):
        if is_of(oracle, session):
            yield from _late(session)
            yield from _backward(session, oracle)


def _late(session: Session) -> Iterator[Fault]:
    marked = 0
    for step in session.steps:
        if isinstance(step, Restart):
            marked = 0
        if isinstance(step, Mark):
            marked = place(step.cursor).g
        for event in step.events if isinstance(step, Batch) else ():
            if event.g <= marked:
                yield step.line, f"event {event.g} after a bookmark at {marked}"


def _backward(session: Session, oracle: Oracle) -> Iterator[Fault]:
    last = 0
    for step in session.steps:
        if isinstance(step, Restart):
            last = 0
        for cursor in _said(step):
            at = place(cursor).g
            if at < last:
                yield step.line, f"cursor {at} after {last}"
            if at > oracle.head:
                yield step.line, f"cursor {at}, but the log ends at {oracle.head}"
            last = at


def _said(step: object) -> list[str]:
    match step:
        case Mark(cursor=cursor) | Batch(to=cursor) | Snap(cursor=cursor, is_last=True):
            return [cursor]
        case _:
            return []
