"""What belongs to a subscription: P11."""

from collections.abc import Iterator

from tests.hubcheck.history import History
from tests.hubcheck.oracle import Logged, Oracle, place
from tests.hubcheck.selection import Selection
from tests.hubcheck.streams import Session, Shown, Snap, sessions, shown_in
from tests.hubcheck.violations import Fault, named
from tests.hubcheck.windows import is_of


@named("P11")
def filters_are_exact(history: History, oracle: Oracle) -> Iterator[Fault]:
    """Only what belongs to a subscription is shown, with what entered and left it marked."""
    for session in sessions(history):
        if not is_of(oracle, session):
            continue
        selection = Selection(session, oracle)
        for line, event in shown_in(session):
            stored = oracle.event(event.g)
            if stored is not None:
                yield from ((line, text) for text in _filter_faults(event, selection, stored))
        yield from _row_faults(session, selection, oracle)


def _filter_faults(event: Shown, selection: Selection, stored: Logged) -> Iterator[str]:
    due = selection.verdict(stored)
    if not due.may_show:
        yield f"event {event.g} ({stored.type} of job {stored.job}) does not belong here"
        return
    for name, told, expected in (
        ("entered", event.entered, due.entered),
        ("left", event.left, due.left),
    ):
        if expected is not None and told != expected:
            is_so = "is" if told else "is not"
            yield f"event {event.g} {is_so} marked as {name}"


def _row_faults(session: Session, selection: Selection, oracle: Oracle) -> Iterator[Fault]:
    """Check which jobs a snapshot has; one of several pages may have what came meanwhile."""
    if not session.has_frames:
        return
    shown: set[int] = set()
    for step in session.steps:
        if not isinstance(step, Snap):
            continue
        shown |= {row["pk"] for row in step.jobs}
        if not step.is_last:
            continue
        at, is_paged = place(step.cursor).g, step.part > 1
        due = {event.job for event in oracle.jobs_at(at) if selection.has(event)}
        known = {event.job for event in oracle.jobs_at(at) if event.after is not None}
        if not is_paged:
            yield from (
                (step.line, f"the snapshot at {at} has job {job}, which does not belong here")
                for job in sorted((shown & known) - due)
            )
        stay = {job for job in due if not is_paged or _stays(job, at, selection, oracle)}
        yield from (
            (step.line, f"the snapshot at {at} lacks job {job}") for job in sorted(stay - shown)
        )
        shown = set()


def _stays(job: int, at: int, selection: Selection, oracle: Oracle) -> bool:
    later = [event for event in oracle.of_job(job) if event.g > at]
    return all(selection.has(event) for event in later)
