"""Nothing is missing: P3, P4 and P5."""

from collections import Counter
from collections.abc import Iterator

from tests.hubcheck.history import History, Quiet
from tests.hubcheck.oracle import Logged, Oracle
from tests.hubcheck.selection import Selection
from tests.hubcheck.streams import (
    Session,
    alive,
    sessions,
)
from tests.hubcheck.violations import Fault, named
from tests.hubcheck.windows import Window, is_of, reached, start, windows


def _covered(history: History, oracle: Oracle) -> Iterator[tuple[Session, Selection, Window]]:
    for session in sessions(history):
        if is_of(oracle, session):
            selection = Selection(session, oracle)
            for window in windows(session):
                yield session, selection, window


def _missing(selection: Selection, window: Window, oracle: Oracle) -> Iterator[Logged]:
    for event in oracle.between(window.after, window.upto):
        if selection.verdict(event).is_due and not window.has(event):
            yield event


@named("P3")
def no_transition_missing(history: History, oracle: Oracle) -> Iterator[Fault]:
    """Every transition that belongs to a subscription is in the message that covers it."""
    for _, selection, window in _covered(history, oracle):
        for event in _missing(selection, window, oracle):
            if not event.is_progress:
                yield (
                    window.line,
                    f"event {event.g} ({event.type} of job {event.job}) is missing"
                    f" between {window.after} and {window.upto}",
                )


@named("P4")
def reports_missing_only_if_superseded(history: History, oracle: Oracle) -> Iterator[Fault]:
    """A report is left out only for a newer one of the same message, and ``skip`` counts it."""
    for _, selection, window in _covered(history, oracle):
        for event in _missing(selection, window, oracle):
            if event.is_progress and not _is_made_up_for(event, selection, window, oracle):
                yield (
                    window.line,
                    f"event {event.g} (a report of job {event.job}) is missing"
                    f" between {window.after} and {window.upto}, and no newer one is there",
                )
        yield from _skip_faults(selection, window, oracle)


def _is_made_up_for(event: Logged, selection: Selection, window: Window, oracle: Oracle) -> bool:
    """Say whether a newer report of the job stands for it, be it one that is no longer for us."""
    if not selection.may_conflate:
        return False
    newer = [
        one
        for one in oracle.between(event.g, window.upto)
        if one.job == event.job and one.is_progress
    ]
    return any(window.has(one) or not selection.verdict(one).is_due for one in newer)


def _skip_faults(selection: Selection, window: Window, oracle: Oracle) -> Iterator[Fault]:
    """Compare each skip with what was due and is not there since the last one of that job."""
    left_out: Counter[int] = Counter()
    skips = {event.g: event.skip for event in window.shown}
    for event in oracle.between(window.after, window.upto):
        if event.g not in skips:
            left_out[event.job] += selection.verdict(event).is_due
            continue
        due, told = left_out.pop(event.job, 0), skips[event.g]
        if told is not None and told != due:
            yield (
                window.line,
                f"event {event.g}: skip {told}, but {due} of job {event.job} were left out",
            )


@named("P5")
def everybody_knows_in_the_end(history: History, oracle: Oracle) -> Iterator[Fault]:
    """When all is quiet, whoever stays connected is told the newest of everything in time."""
    found = sessions(history)
    for number, record in enumerate(history.records, 1):
        if not isinstance(record, Quiet):
            continue
        deadline = record.at + record.within_s
        for session in alive(found, record.at, deadline):
            position = reached(session, deadline)
            due = _last_due(session, oracle)
            if is_of(oracle, session) and (position is None or position < due):
                yield (
                    number,
                    f"{session.asked.sub} was told up to {position} only,"
                    f" {record.within_s} s after all was quiet; event {due} belongs to it",
                )


def _last_due(session: Session, oracle: Oracle) -> int:
    """Return the newest event that a session must show behind its beginning, else 0."""
    selection, after = Selection(session, oracle), start(session) or 0
    due = (event.g for event in reversed(oracle.events) if selection.verdict(event).is_due)
    last = next(due, 0)
    return last if last > after else 0
