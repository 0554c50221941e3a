"""Order, and each once: P1 and P2."""

from collections.abc import Iterator

from tests.hubcheck.history import History
from tests.hubcheck.oracle import Oracle, place
from tests.hubcheck.streams import Batch, Restart, Snap, sessions
from tests.hubcheck.violations import Fault, named
from tests.hubcheck.windows import start


@named("P1")
def ordered(history: History, oracle: Oracle) -> Iterator[Fault]:
    """Numbers only rise: of the log, and of each job."""
    del oracle
    for session in sessions(history):
        last_g, last_seq = 0, dict[int, int]()
        for step in session.steps:
            if isinstance(step, Restart):
                last_g, last_seq = 0, {}
            for event in step.events if isinstance(step, Batch) else ():
                if event.g < last_g:
                    yield step.line, f"event {event.g} after {last_g}"
                if event.seq < last_seq.get(event.job, 0):
                    yield step.line, f"job {event.job}: seq {event.seq} after {last_seq[event.job]}"
                last_g, last_seq[event.job] = event.g, event.seq


@named("P2")
def unique(history: History, oracle: Oracle) -> Iterator[Fault]:
    """No event comes twice, nor one that the cursor of the subscription is already past."""
    del oracle
    for session in sessions(history):
        after, seen = start(session) or 0, set[int]()
        for step in session.steps:
            if isinstance(step, Restart):
                after = 0
                seen.clear()
            if isinstance(step, Snap):
                after = max(after, place(step.cursor).g)
            for event in step.events if isinstance(step, Batch) else ():
                if event.g in seen:
                    yield step.line, f"event {event.g} comes twice"
                elif event.g <= after:
                    yield step.line, f"event {event.g} was told before: the cursor was at {after}"
                seen.add(event.g)
