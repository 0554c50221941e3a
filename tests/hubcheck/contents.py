"""What a client makes of the jobs: P8."""

from collections.abc import Iterable, Iterator
from typing import Any

from tests.hubcheck.history import History
from tests.hubcheck.oracle import Logged, Oracle, place
from tests.hubcheck.selection import PLAIN, Selection
from tests.hubcheck.streams import (
    Batch,
    Mark,
    Restart,
    Session,
    Shown,
    Snap,
    last_cursor,
    subscriptions,
)
from tests.hubcheck.violations import Fault, named
from tests.hubcheck.windows import is_of

Known = dict[int, dict[str, Any]]
"""What a client knows of its jobs, under the names of the oracle."""


@named("P8")
def fold_is_the_database(history: History, oracle: Oracle) -> Iterator[Fault]:
    """What a client makes of snapshot and events is what the database had at that cursor."""
    for found in subscriptions(history).values():
        known: Known = {}
        ended_at: str | None = None
        for session in found:
            if not is_of(oracle, session):
                continue
            if session.asked.cursor != ended_at or session.mode == "snapshot":
                known = {}
            yield from _fold_faults(session, known, oracle)
            ended_at = last_cursor(session, ended_at)


def _fold_faults(session: Session, known: Known, oracle: Oracle) -> Iterator[Fault]:
    selection = Selection(session, oracle)
    for step in session.steps:
        match step:
            case Restart():
                known.clear()
            case Snap():
                yield from ((step.line, text) for text in _snapshot_faults(step, oracle))
                known |= {row["pk"]: _of_row(row) for row in step.jobs}
            case Batch():
                for event in step.events:
                    yield from ((step.line, text) for text in _content_faults(event, oracle))
                    _apply(event, known)
                touched = {event.job for event in step.events} & known.keys()
                yield from _differences(step, step.to, touched, known, selection, oracle)
            case Mark():
                yield from _differences(step, step.cursor, known, known, selection, oracle)
            case _:
                pass


OF_ROW = {"status": "status", "progress_amount": "progress", "progress": "progress"}


def _of_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row of a snapshot says, as far as it is simple."""
    said = {OF_ROW[name]: value for name, value in row.items() if name in OF_ROW}
    said = {name: value for name, value in said.items() if isinstance(value, str | int | float)}
    return said | {"seq": row["seq"], "tseq": row["tseq"]}


def _apply(event: Shown, known: Known) -> None:
    """Do what a client does: each event once, by its number in its job."""
    job = known.setdefault(event.job, {})
    if event.seq <= job.get("seq", 0):
        return
    job |= {"seq": event.seq, "tseq": event.tseq}
    if event.said.get("to_status") is not None:
        job["status"] = event.said["to_status"]
    if "progress" in event.said:
        job["progress"] = event.said["progress"]
    if event.left:
        del known[event.job]


def _content_faults(event: Shown, oracle: Oracle) -> Iterator[str]:
    stored = oracle.event(event.g)
    if stored is None:
        if event.g > oracle.floor:
            yield f"event {event.g} is not in the log"
        return
    if stored.type == "void":
        return
    told = event.said | {"job": event.job, "seq": event.seq, "tseq": event.tseq}
    for name, value in told.items():
        due = _stored(stored, name)
        if value != due:
            yield f"event {event.g} says {name} {value!r}, the log {due!r}"


def _stored(event: Logged, name: str) -> Any:
    match name:
        case "plain":
            return PLAIN.get(event.type)
        case "body":
            return event.data if event.is_progress else {}
        case _:
            return getattr(event, name)


def _snapshot_faults(step: Snap, oracle: Oracle) -> Iterator[str]:
    at = place(step.cursor).g
    is_whole = step.part == 1 and step.is_last
    for row in step.jobs:
        job, seq = row["pk"], row["seq"]
        then = oracle.last(job, at)
        if then is None:
            if oracle.floor == 0:
                yield f"the snapshot at {at} has job {job}, of which the log knows nothing"
            continue
        # The pages of a long one are read one after the other: later rows may be newer.
        if seq < then.seq or (is_whole and seq > then.seq):
            yield f"the snapshot at {at} has job {job} as of {seq}, not {then.seq}"
        stored = oracle.at_seq(job, seq)
        if stored is not None and stored.after is not None:
            yield from (
                f"the snapshot has job {job} with {name} {value!r}, the log {due!r}"
                for name, value in _of_row(row).items()
                for due in [_as_of(stored, name)]
                if value != due
            )


def _as_of(event: Logged, name: str) -> Any:
    return getattr(event if name in ("seq", "tseq") else event.after, name)


def _differences(
    step: Batch | Mark,
    cursor: str,
    jobs: Iterable[int],
    known: Known,
    selection: Selection,
    oracle: Oracle,
) -> Iterator[Fault]:
    upto = place(cursor).g
    for job in sorted(jobs):
        last = oracle.last(job, upto)
        if last is None or last.after is None:
            continue
        for name in _provable(selection):
            value, due = known[job].get(name), _as_of(last, name)
            if value is not None and value != due:
                yield step.line, f"at {upto} job {job} has {name} {value!r}, the database {due!r}"


def _provable(selection: Selection) -> list[str]:
    """Return what a client can know exactly at each cursor, given what it asked for."""
    names = {
        "status": selection.shows_transitions,
        "tseq": selection.shows_transitions,
        "progress": selection.shows_all,
        "seq": selection.shows_all,
    }
    return [name for name, is_known in names.items() if is_known]
