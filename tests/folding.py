"""An independent oracle: what the log says, replayed by rules of its own, against what is stored.

The steps are written from the description of a job's life, not imported from the rules that the hub
decides by: a mistake there must not hide itself here.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import asyncpg
import msgspec

from orm.queries.audit import link
from tests import execution_story

Row = Mapping[str, Any]

STEPS: dict[str, set[tuple[str | None, str]]] = {
    "create": {(None, "QUEUED")},
    "acquire": {("QUEUED", "ACQUIRED"), ("FAILED", "FAILED")},
    "release": {("ACQUIRED", "QUEUED"), ("FAILED", "FAILED")},
    "start": {("ACQUIRED", "RUNNING")},
    "progress": {("RUNNING", "RUNNING")},
    "finish": {("RUNNING", "COMPLETED")},
    "error": {("RUNNING", "FAILED")},
    "reset": {("FAILED", "ACQUIRED")},
    "abort": {(before, "QUEUED") for before in ("QUEUED", "ACQUIRED", "RUNNING", "FAILED")},
    "cancel": {
        (before, "CANCELED")
        for before in ("PENDING", "BLOCKED", "QUEUED", "ACQUIRED", "RUNNING", "FAILED")
    },
    "lost": {
        (before, after) for before in ("ACQUIRED", "RUNNING") for after in ("QUEUED", "FAILED")
    },
    "suspect": {("ACQUIRED", "ACQUIRED"), ("RUNNING", "RUNNING")},
    "revived": {
        ("ACQUIRED", "ACQUIRED"),
        ("RUNNING", "RUNNING"),
        ("QUEUED", "RUNNING"),
    },
    "timeout": {("RUNNING", "FAILED")},
    "requeue": {("FAILED", "QUEUED"), ("CANCELED", "QUEUED")},
}
KEEPS_STATUS = {"output", "update", "destroy", "reinstate"}
BY_HOLDER = {"start", "progress", "finish", "error", "reset"}
HELD = ("ACQUIRED", "RUNNING")
COSTS_A_TRY = {"acquire", "reset"}
FREES_NODE = {"release", "abort", "lost", "requeue"}
STARTS_ANEW = {"reset", "abort", "lost", "requeue"}
ERASED = "void"
TOLD = ("status", "description", "creator", "template", "parent", "node", "attempt", "tries")
"""Columns of a job that every transition tells in full."""


class State(msgspec.Struct):
    """A job as its events make it; ``shown`` are its visible outputs, each with its attempt."""

    status: str | None = None
    attempt: int = 0
    tries: int = 0
    node: int | None = None
    is_suspect: bool = False
    progress: float = 0.0
    seq: int = 0
    tseq: int = 0
    error: str | None = None
    is_deleted: bool = False
    outputs: dict[int, int] = {}
    shown: set[int] = set()
    lost: tuple[float, set[int]] | None = None
    last_told: dict[str, Any] = {}

    @property
    def output_count(self) -> int:
        """How many outputs of the present attempt are visible."""
        return len(self.shown_now())

    def shown_now(self) -> set[int]:
        """Return the visible outputs of the present attempt."""
        return {pk for pk in self.shown if self.outputs[pk] == self.attempt}


class Story(NamedTuple):
    """A whole database at one moment."""

    clock: Row
    jobs: Sequence[Row]
    events: Sequence[Row]
    outputs: Sequence[Row]
    executions: Sequence[Row]
    audit: Sequence[Row]


QUESTIONS = (
    "SELECT * FROM hub_meta",
    "SELECT * FROM jobs ORDER BY pk",
    "SELECT * FROM events ORDER BY gseq",
    "SELECT * FROM outputs ORDER BY pk",
    "SELECT job, number, attempt, node, queued_us, granted_us, start_us, end_us, outcome, error,"
    " error_name FROM executions ORDER BY job, number",
    "SELECT * FROM audit ORDER BY pk",
)


def read_sqlite(connection: sqlite3.Connection) -> Story:
    """Read everything on one snapshot."""
    cursor = connection.cursor()
    cursor.row_factory = lambda c, values: dict(
        zip((column[0] for column in c.description), values, strict=True)
    )
    cursor.execute("BEGIN")
    try:
        (clock,), *rest = [cursor.execute(question).fetchall() for question in QUESTIONS]
    finally:
        cursor.execute("ROLLBACK")
    return Story(clock, *rest)


async def read_postgres(connection: "asyncpg.Connection[asyncpg.Record]") -> Story:
    """Read everything on one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        (clock,), *rest = [
            [dict(row) for row in await connection.fetch(question)] for question in QUESTIONS
        ]
    return Story(clock, *rest)


async def read_story(url: str) -> Story:
    """Read the database at a ``sqlite:///`` or ``postgresql://`` address."""
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            return read_sqlite(connection)
        finally:
            connection.close()
    server = await asyncpg.connect(url)
    try:
        return await read_postgres(server)
    finally:
        await server.close()


async def check_log(url: str) -> list[str]:
    """Return what is wrong with the database at ``url``; nothing is as it should be."""
    return violations(await read_story(url))


def violations(story: Story) -> list[str]:
    """Return every broken promise about log, jobs, outputs and audit, in words."""
    return [
        *_numbering(story),
        *_jobs(story),
        *_audit(story),
    ]


def _numbering(story: Story) -> Iterator[str]:
    numbers = [event["gseq"] for event in story.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the log's numbers are not dense: {_first_hole(numbers)}"
    if story.clock["gseq"] != len(numbers):
        yield f"the clock says {story.clock['gseq']}, the log has {len(numbers)} events"


def _first_hole(numbers: Iterable[int]) -> str:
    return next((f"{n} where {i} should be" for i, n in enumerate(numbers, 1) if n != i), "")


def _jobs(story: Story) -> Iterator[str]:
    rows = {row["pk"]: row for row in story.jobs}
    by_job = sorted(story.events, key=itemgetter("job", "gseq"))
    logged = set()
    for job, events in groupby(by_job, key=itemgetter("job")):
        logged.add(job)
        told = list(events)
        state, faults = replayed(told)
        row = rows.get(job)
        faults += execution_story.faults(
            row, told, [e for e in story.executions if e["job"] == job]
        )
        faults += [] if row is None else _differences(row, state)
        if (row is None) != (state.status is None):
            faults.append("its row and its events do not agree on whether it exists")
        faults += _output_faults(state, [o for o in story.outputs if o["job"] == job])
        yield from (f"job {job}: {fault}" for fault in faults)
    yield from (f"job {job}: a row without events" for job in rows.keys() - logged)


def fold(events: Sequence[Row]) -> State:
    """Return what a job's events, in order, make of it."""
    return replayed(events)[0]


def replayed(events: Sequence[Row]) -> tuple[State, list[str]]:
    """Return the same, and what is wrong with the events; an erased job has no status."""
    state, faults = State(), list[str]()
    if is_erased(events):
        return state, [*_chain_faults(events)]
    for event in events:
        faults += [f"event {event['gseq']}: {fault}" for fault in _step(state, event)]
    return state, faults


def is_erased(events: Sequence[Row]) -> bool:
    """Whether all that is told of a job is that it was removed: its earlier events are blank."""
    *blank, last = events
    is_last = last["type"] == "destroy" and json.loads(last["data"]).get("hard") is True
    return all(event["type"] == ERASED for event in blank) and (is_last or last["type"] == ERASED)


def _chain_faults(events: Sequence[Row]) -> Iterator[str]:
    """Check what an erased job still tells: its numbers, and that each status follows the last."""
    before, tseq = None, 0
    for seq, event in enumerate(events, 1):
        tseq += event["kind"] == "t"
        if (event["seq"], event["tseq"], event["from_status"]) != (seq, tseq, before):
            yield f"event {event['gseq']}: does not follow the one before"
        before = event["to_status"]


def _step(state: State, event: Row) -> list[str]:
    kind = event["type"]
    faults = [*_number_faults(state, event), *_legality_faults(state, event)]
    state.status = event["to_status"]
    _move(state, kind, event)
    told = {name: event[name] for name in ("attempt", "node", "progress")}
    faults += [
        f"{kind} tells {name} {value!r}, its past {getattr(state, name)!r}"
        for name, value in told.items()
        if getattr(state, name) != value
    ]
    return faults


def _number_faults(state: State, event: Row) -> Iterator[str]:
    is_transition = event["type"] != "progress"
    state.seq += 1
    state.tseq += is_transition
    if event["seq"] != state.seq:
        yield f"seq {event['seq']}, not {state.seq}"
    if event["tseq"] != state.tseq:
        yield f"tseq {event['tseq']}, not {state.tseq}"
    if event["kind"] != ("t" if is_transition else "p"):
        yield f"{event['type']} is of kind {event['kind']}"


def _legality_faults(state: State, event: Row) -> Iterator[str]:
    kind, step = event["type"], (event["from_status"], event["to_status"])
    if event["from_status"] != state.status:
        yield f"{kind} says it came from {event['from_status']}, not {state.status}"
    stays = kind in KEEPS_STATUS and state.status is not None and step[0] == step[1]
    if step not in STEPS.get(kind, ()) and not stays:
        yield f"{kind} from {step[0]} to {step[1]} is not legal"
    if kind == "acquire" and (state.node is not None or event["node"] is None):
        yield f"acquire by {event['node']} of a job that {state.node} holds"
    if kind in BY_HOLDER and state.node is None:
        yield f"{kind} of a job that nobody holds"
    if state.is_suspect and kind in BY_HOLDER | {"suspect"}:
        yield f"{kind} of a job whose holder is still doubted"
    if kind == "revived" and not (state.is_suspect or state.lost):
        yield "revived though nobody doubted it"


def _move(state: State, kind: str, event: Row) -> None:
    if kind == "progress":
        # Only here the log is believed, and only upwards: what was reported is not in the event.
        state.progress = max(state.progress, event["progress"])
        return
    data = json.loads(event["data"])
    state.last_told = data.get("row", {})
    _move_holder(state, kind, event)
    if kind == "lost" and event["to_status"] == "FAILED":
        state.shown -= state.shown_now()
    elif kind in STARTS_ANEW:
        state.progress, state.error = 0.0, None
        state.shown -= state.shown_now()
    if event["to_status"] in ("FAILED", "CANCELED") and kind not in KEEPS_STATUS:
        state.error = "Cancelled" if kind == "cancel" else state.last_told["error_reason"]
    if kind in ("destroy", "reinstate"):
        state.is_deleted = kind == "destroy"
    if kind == "output":
        _move_output(state, **data["output"])


def _move_holder(state: State, kind: str, event: Row) -> None:
    if kind == "acquire":
        state.attempt, state.node = state.attempt + 1, event["node"]
    state.tries += kind in COSTS_A_TRY
    state.tries -= (kind, event["from_status"]) == ("release", "ACQUIRED")
    if kind == "revived" and state.lost and event["from_status"] == "QUEUED":
        state.node, (state.progress, again) = event["node"], state.lost
        state.shown |= again
    if kind not in KEEPS_STATUS:
        state.is_suspect = kind == "suspect"
        state.lost = _may_return(state, kind, event)
    if kind in FREES_NODE:
        state.node = None


def _may_return(state: State, kind: str, event: Row) -> tuple[float, set[int]] | None:
    """Return what the holder of a run that was lost gets back if it calls again."""
    step = kind, event["from_status"], event["to_status"]
    is_given_up = json.loads(event["data"]).get("reason") == "superseded-by-self"
    if step != ("lost", "RUNNING", "QUEUED") or is_given_up:
        return None
    return state.progress, state.shown_now()


def _move_output(state: State, *, pk: int, change: str, **_: object) -> None:
    if change == "added":
        state.outputs[pk] = state.attempt
    if change in ("added", "shown"):
        state.shown.add(pk)
    if change in ("hidden", "removed"):
        state.shown.discard(pk)
    if change == "removed":
        del state.outputs[pk]


FOLDED = (
    *("status", "attempt", "tries", "node"),
    *("progress", "seq", "tseq", "error", "output_count"),
)


def _differences(row: Row, state: State) -> list[str]:
    folded = {name: getattr(state, name) for name in FOLDED}
    folded |= {name: state.last_told.get(name) for name in TOLD}
    return [
        f"the row has {name} {row[name]!r}, its events {value!r}"
        for name, value in folded.items()
        if row[name] != value
    ] + [fault for fault, is_so in _flag_faults(row, state).items() if is_so]


def _flag_faults(row: Row, state: State) -> dict[str, bool]:
    is_held = row["status"] in HELD and not row["children"]
    return {
        "the row and its events differ in deletion": (
            (row["deleted_us"] is not None) != state.is_deleted
        ),
        "the row and its events differ in doubt": (row["suspect_us"] is not None)
        != state.is_suspect,
        "the row and its events differ in a lost run": (
            (row["lost_run"] is not None) != (state.lost is not None)
        ),
        "a held job has no lease, or another one has": (
            (row["lease_expires_us"] is not None) != is_held
        ),
    }


def _output_faults(state: State, outputs: Sequence[Row]) -> Iterator[str]:
    stored = {row["pk"]: row["attempt"] for row in outputs}
    if stored != state.outputs:
        yield f"its outputs are {stored}, its events tell {state.outputs}"
    shown = {row["pk"] for row in outputs if row["deleted_us"] is None}
    if shown != state.shown:
        yield f"its visible outputs are {shown}, its events tell {state.shown}"


AUDITED = (
    *("time_us", "actor", "session", "address"),
    *("action", "object_type", "object_pk", "before", "after"),
)


def _audit(story: Story) -> Iterator[str]:
    head = ""
    for row in story.audit:
        head = link(head, tuple(row[name] for name in AUDITED))
        if row["hash"] != head:
            yield f"audit row {row['pk']}: its hash does not cover it and the row before"
            head = row["hash"]
    if story.clock["audit_hash"] != head:
        yield "the audit does not end where the clock row says"
