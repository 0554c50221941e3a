"""The checker of histories: it finds nothing in good ones, and each way to spoil one."""

import copy
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.protocol.frames import Filter
from tests.hubcheck.history import (
    Answered,
    AnyRecord,
    Applied,
    Asked,
    Client,
    Close,
    Connect,
    Face,
    Frame,
    History,
    Quiet,
    Refused,
    Subscribe,
    read,
)
from tests.hubcheck.oracle import Names, Oracle, logged
from tests.hubcheck.properties import violations
from tests.hubcheck.simulated import SimulatedClient, SimulatedLog
from tests.hubcheck.violations import PROPERTIES

Json = dict[str, Any]

# --- A log of 14 events ---------------------------------------------------------------------------

LIFE = [  # type, job, status before, status after, progress
    ("create", 1, None, "QUEUED", 0.0),
    ("create", 2, None, "QUEUED", 0.0),
    ("acquire", 1, "QUEUED", "ACQUIRED", 0.0),
    ("start", 1, "ACQUIRED", "RUNNING", 0.0),
    ("progress", 1, "RUNNING", "RUNNING", 0.1),
    ("acquire", 2, "QUEUED", "ACQUIRED", 0.0),
    ("progress", 1, "RUNNING", "RUNNING", 0.2),
    ("start", 2, "ACQUIRED", "RUNNING", 0.0),
    ("progress", 1, "RUNNING", "RUNNING", 0.3),
    ("progress", 2, "RUNNING", "RUNNING", 0.5),
    ("finish", 1, "RUNNING", "COMPLETED", 0.3),
    ("progress", 2, "RUNNING", "RUNNING", 0.6),
    ("progress", 2, "RUNNING", "RUNNING", 0.7),
    ("error", 2, "RUNNING", "FAILED", 0.7),
]


def rows() -> list[Json]:
    """Return the rows of the events table."""
    found, counts = [], dict[int, list[int]]()
    for g, (kind, job, before, after, progress) in enumerate(LIFE, 1):
        count = counts.setdefault(job, [0, 0])
        count[0] += 1
        count[1] += kind != "progress"
        node = job if after in ("ACQUIRED", "RUNNING") else None
        short = {
            "status": after,
            "progress_amount": progress,
            "labels": {"team": f"t{job}"},
            "creator": job,
            "template": job,
            "parent": None,
            "node": node,
            "deleted": False,
        }
        found.append(
            {
                "gseq": g,
                "job": job,
                "seq": count[0],
                "tseq": count[1],
                "type": kind,
                "from_status": before,
                "to_status": after,
                "time_us": g,
                "attempt": int(node is not None),
                "node": node,
                "progress": progress,
                "n": 1,
                "data": msgspec.json.encode(
                    {"counter": g} if kind == "progress" else {"row": short}
                ).decode(),
            }
        )
    return found


ROWS = rows()
NAMES = Names({"ada": 1, "bob": 2}, {"resize": frozenset({1}), "train": frozenset({2})})


def oracle(floor: int = 0) -> Oracle:
    return Oracle("e1", floor, logged(ROWS), NAMES)


def at(g: int, epoch: str = "e1") -> str:
    return f"v1:{epoch}:{g}"


def event(g: int, skip: int = 0, **marks: bool) -> Json:
    """Return event ``g`` as ``hub.v1`` shows it."""
    row = ROWS[g - 1]
    return {
        "g": g,
        "job": row["job"],
        "seq": row["seq"],
        "tseq": row["tseq"],
        "skip": skip,
        "type": "job.progress" if row["type"] == "progress" else "job.transition",
        "transition": row["type"],
        "from_status": row["from_status"],
        "to_status": row["to_status"],
        "attempt": row["attempt"],
        "node": row["node"],
        "progress_amount": row["progress"],
        "n": 1,
        "data": msgspec.json.decode(row["data"]),
        **marks,
    }


def subscribed(mode: str, begins: int, reset: str | None = None, head: int = 14) -> Json:
    said = {"op": "subscribed", "id": "s", "mode": mode, "from": at(begins)}
    return said | {"head": at(head), "retained_from": at(0), "reset": reset}


def snapshot(upto: int, *jobs: int, part: int = 1, last: bool = True) -> Json:
    found = {row["job"]: row for row in ROWS[:upto]}
    short = [
        {
            "pk": job,
            "status": found[job]["to_status"],
            "progress_amount": found[job]["progress"],
            "seq": found[job]["seq"],
            "tseq": found[job]["tseq"],
        }
        for job in jobs
    ]
    return {"op": "snapshot", "id": "s", "at": at(upto), "part": part, "last": last, "jobs": short}


def events(begins: int, to: int, *shown: Json) -> Json:
    return {"op": "events", "id": "s", "from": at(begins), "to": at(to), "events": list(shown)}


def bookmark(g: int) -> Json:
    return {"op": "bookmark", "id": "s", "cursor": at(g)}


Line = Json | AnyRecord
"""A frame, or another record."""


def history(*lines: Line, face: Face = "hub.v1", account: str = "ada") -> History:
    """Return a history on one connection; times count up by a second."""
    records: list[AnyRecord] = [Client(at=0, client="c", face=face, account=account)]
    conn = 0
    for number, line in enumerate(lines, 1):
        if isinstance(line, dict):
            sub = "" if face == "hub.v1" else "s"
            records.append(Frame(at=number, conn=conn, frame=line, sub=sub))
        else:
            record = msgspec.structs.replace(line, at=float(number))
            conn = record.conn if isinstance(record, Connect | Subscribe) else conn
            records.append(record)
    return History(tuple(records))


def ask(cursor: str | None = None, conn: int = 1, **members: Any) -> Subscribe:
    said = {"topic": "jobs", **members}
    return Subscribe(at=0, conn=conn, sub="s", cursor=cursor, **said)


def cut(conn: int = 1) -> Close:
    return Close(at=0, conn=conn)


def quiet(within_s: float = 1.5) -> Quiet:
    return Quiet(at=0, within_s=within_s)


def stored(g: int) -> Applied:
    return Applied(at=0, sub="s", cursor=at(g))


def faults(found: History, floor: int = 0) -> set[str]:
    """Return the names of the properties that do not hold."""
    return {one.property for one in violations([found], oracle(floor))}


# --- Good histories -------------------------------------------------------------------------------

ALL = history(
    Connect(at=0, conn=1),
    ask(progress="all"),
    subscribed("snapshot", 4, head=4),
    snapshot(4, 1, 2),
    events(4, 7, event(5), event(6), event(7)),
    bookmark(7),
    stored(7),
    events(7, 8, event(8)),
    cut(),
    Connect(at=0, conn=2),
    ask(at(7), conn=2, progress="all"),
    subscribed("resume", 7),
    events(7, 11, event(8), event(9), event(10), event(11)),
    events(11, 14, event(12), event(13), event(14)),
    quiet(),
    bookmark(14),
)
LATEST = history(
    ask(),
    subscribed("snapshot", 4, head=4),
    snapshot(4, 1, 2),
    events(4, 10, event(6), event(8), event(9, 2), event(10)),
    events(10, 14, event(11), event(13, 1), event(14)),
    quiet(),
    bookmark(14),
)
RUNNING = history(
    ask(filter=Filter(status=("RUNNING",))),
    subscribed("snapshot", 3, head=3),
    snapshot(3),
    events(3, 10, event(4, entered=True), event(8, entered=True), event(9, 2), event(10)),
    events(10, 14, event(11, left=True), event(13, 1), event(14, left=True)),
    quiet(),
    bookmark(14),
)
TRANSITIONS = history(
    ask(filter=Filter(type=("transition",)), jobs=(2,), topic="job"),
    subscribed("snapshot", 2, head=2),
    snapshot(2, 2),
    events(2, 8, event(6), event(8)),
    events(8, 14, event(14)),
)
PAGED = history(
    ask(progress="all"),
    subscribed("snapshot", 4),
    snapshot(4, 1, part=1, last=False),
    {**snapshot(4, part=2), "jobs": snapshot(6, 2)["jobs"]},
    events(4, 7, event(5), event(6), event(7)),
)
GIVEN_UP = history(
    ask(at(3, "e0")),
    subscribed("snapshot", 14, "epoch"),
    snapshot(14, 1, 2),
    bookmark(14),
)
LIVE = history(
    ask(snapshot="never", progress="all"),
    subscribed("live", 12, head=12),
    events(12, 14, event(13), event(14)),
)


def plain(g: int, name: str = "", **said: Any) -> Json:
    row = ROWS[g - 1]
    node = {} if row["node"] is None else {"node": row["node"]}
    is_report = row["type"] == "progress"
    members = {"transition": name or row["type"], "pk": row["job"], "progress": row["progress"]}
    body = msgspec.json.decode(row["data"]) if is_report else {}
    place = {"seq": row["seq"], "tseq": row["tseq"], "cursor": at(g)}
    return members | node | {"transition_data": body} | place | said


PLAIN = history(
    ask(topic="job", jobs=(2,), progress="all"),
    {**plain(8, "progress"), "transition_data": {}},
    plain(10),
    cut(),
    ask(at(10), conn=2, topic="job", jobs=(2,), progress="all"),
    plain(12),
    plain(13),
    plain(14),
    quiet(0.5),
    cut(2),
    face="plain",
)
PLAIN_REFUSED = history(
    ask(at(1), topic="job", jobs=(2,), progress="all"),
    Refused(at=0, conn=1, status=410, code="cursor_gone", sub="s"),
    face="plain",
)
NDJSON = history(
    ask(at(9), progress="all"),
    *({**event(g), "cursor": at(g)} for g in (10, 11, 12, 13, 14)),
    quiet(0.5),
    cut(),
    face="ndjson",
)
REPORTED = history(
    Asked(at=0, change=("progress", 1, 5)),
    Answered(at=0, change=("progress", 1, 5)),
    Asked(at=0, change=("progress", 1, 99)),
    Asked(at=0, change=("finish", 1, 0)),
    Answered(at=0, change=("finish", 1, 0)),
)
GOOD = {
    "all": ALL,
    "latest": LATEST,
    "running": RUNNING,
    "transitions": TRANSITIONS,
    "paged": PAGED,
    "given up": GIVEN_UP,
    "live": LIVE,
    "plain": PLAIN,
    "ndjson": NDJSON,
    "reported": REPORTED,
}


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_wrong_with_a_good_history(name: str) -> None:
    assert violations([GOOD[name]], oracle()) == []


def test_a_cursor_below_the_floor_may_be_refused() -> None:
    assert faults(PLAIN_REFUSED, floor=2) == set()


@pytest.mark.parametrize(
    ("wanted", "due"),
    [
        (Filter(label={"team": "t1"}), [1]),
        (Filter(creator=("me",)), [1]),
        (Filter(creator=("bob",)), [2]),
        (Filter(creator=("nobody",)), []),
        (Filter(node=(2,)), [2]),
        (Filter(template=("resize",)), [1]),
        (Filter(template=(2,)), [2]),
        (Filter(parent=(1,)), []),
        (Filter(status=("QUEUED", "RUNNING")), [1, 2]),
        (Filter(status=("RUNNING",), creator=("ada",)), [1]),
    ],
)
def test_every_field_of_a_filter_is_understood(wanted: Filter, due: list[int]) -> None:
    told = history(ask(filter=wanted), subscribed("snapshot", 10), snapshot(10, *due))
    other = history(
        ask(filter=wanted),
        subscribed("snapshot", 10),
        snapshot(10, *({1, 2} - set(due)) or {1}),
    )

    assert faults(told) == set()
    assert "P11" in faults(other)


# --- And each way to spoil one --------------------------------------------------------------------

Spoil = Callable[[list[Any]], object]
"""Changes the records of a history, which are plain values; the first one is the client."""


def frame(records: list[Any], op: str, nth: int = 0) -> Json:
    found: list[Json] = [r["frame"] for r in records if r.get("frame", {}).get("op") == op]
    return found[nth]


def drop(op: str, nth: int, which: int) -> Spoil:
    return lambda records: frame(records, op, nth)["events"].pop(which)


def put(op: str, nth: int, **members: Any) -> Spoil:
    return lambda records: frame(records, op, nth).update(members)


def put_event(nth: int, which: int, **members: Any) -> Spoil:
    return lambda records: frame(records, "events", nth)["events"][which].update(members)


def put_row(which: int, **members: Any) -> Spoil:
    return lambda records: frame(records, "snapshot")["jobs"][which].update(members)


def put_record(nth: int, **members: Any) -> Spoil:
    return lambda records: records[nth].update(members)


def put_said(nth: int, **members: Any) -> Spoil:
    return lambda records: records[nth]["frame"].update(members)


def without(nth: int) -> Spoil:
    return lambda records: records.pop(nth)


def swap(nth: int, a: int, b: int) -> Spoil:
    def swapped(records: list[Any]) -> None:
        shown = frame(records, "events", nth)["events"]
        shown[a], shown[b] = shown[b], shown[a]

    return swapped


def again(op: str, nth: int, which: int) -> Spoil:
    def doubled(records: list[Any]) -> None:
        shown = frame(records, op, nth)["events"]
        shown.insert(which, copy.deepcopy(shown[which]))

    return doubled


def more(nth: int, shown: Json) -> Spoil:
    return lambda records: frame(records, "events", nth)["events"].append(shown)


def twice(nth: int) -> Spoil:
    return lambda records: records.insert(nth, copy.deepcopy(records[nth]))


def both(first: Spoil, second: Spoil) -> Spoil:
    def done(records: list[Any]) -> None:
        first(records)
        second(records)

    return done


SPOILED: dict[str, tuple[str, History, Spoil]] = {
    "two events changed places": ("P1", ALL, swap(0, 0, 1)),
    "a job's numbers go back": ("P1", ALL, put_event(0, 2, seq=3)),
    "an event comes twice in a message": ("P2", ALL, again("events", 2, 1)),
    "an event of the snapshot comes again": ("P2", ALL, put_event(0, 0, g=4)),
    "an event behind the cursor comes again": ("P2", ALL, more(2, event(7))),
    "a message of a plain socket comes twice": ("P2", PLAIN, twice(6)),
    "a line of NDJSON comes twice": ("P2", NDJSON, twice(4)),
    "a transition is missing": ("P3", ALL, drop("events", 0, 1)),
    "a transition is missing among conflated reports": ("P3", LATEST, drop("events", 1, 0)),
    "the end of a job that left a filter is missing": ("P3", RUNNING, drop("events", 1, 0)),
    "the plain socket left out a transition": ("P3", history(
        ask(at(2), topic="job", jobs=(2,)), plain(8), plain(10), face="plain"), put_record(0)),
    "a bookmark passes over a transition": ("P3", LATEST, put("events", 1, to=at(10), events=[])),
    "a report is missing though all were asked for": ("P4", ALL, drop("events", 0, 0)),
    "the newest report of a message is missing": ("P4", LATEST, drop("events", 0, 3)),
    "a plain socket left out a report": ("P4", PLAIN, without(6)),
    "a line of NDJSON is missing": ("P4", NDJSON, without(4)),
    "a skip too many": ("P4", LATEST, put_event(0, 2, skip=3)),
    "a skip too few": ("P4", LATEST, put_event(1, 1, skip=0)),
    "a skip that is more than there was": ("P4", LIVE, put_event(0, 0, skip=7)),
    "a skip where transitions only are shown": ("P4", TRANSITIONS, put_event(1, 0, skip=3)),
    "the last message never came": ("P5", LATEST, both(without(7), without(5))),
    "the end came too late": ("P5", LATEST, lambda records: records.insert(
        5, {"what": "quiet", "at": 1.0, "within_s": 2.0})),
    "nothing came after all at a plain socket": ("P5", PLAIN, without(8)),
    "a message goes on from elsewhere": ("P6", ALL, put("events", 2, **{"from": at(6)})),
    "a bookmark goes on from elsewhere": ("P6", ALL, put("bookmark", 0, **{"from": at(6)})),
    "a message does not cover what it holds": ("P6", ALL, put("events", 3, to=at(13))),
    "a message goes back": ("P6", ALL, put("events", 0, to=at(3), events=[])),
    "a snapshot begins with its second part": ("P6", ALL, put("snapshot", 0, part=2)),
    "the parts of a snapshot are of two moments": ("P6", PAGED, put("snapshot", 1, at=at(5))),
    "it resumed elsewhere": ("P6", ALL, put("subscribed", 1, **{"from": at(6)})),
    "a cursor was stored that was never issued": ("P6", ALL, put_record(7, cursor=at(6))),
    "a client came back with a cursor of its own": ("P6", ALL, put_record(11, cursor=at(6))),
    "an event follows its bookmark": ("P7", ALL, put("bookmark", 0, cursor=at(8))),
    "a bookmark goes back": ("P7", ALL, put("bookmark", 1, cursor=at(13))),
    "a bookmark is ahead of the log": ("P7", ALL, put("bookmark", 1, cursor=at(15))),
    "an event that is not in the log": ("P8", ALL, put_event(0, 2, g=99)),
    "an event says another status": ("P8", ALL, put_event(0, 1, to_status="RUNNING")),
    "an event says another progress": ("P8", ALL, put_event(0, 0, progress_amount=0.9)),
    "an event has other data": ("P8", ALL, put_event(0, 0, data={"counter": 0})),
    "an event is of another job": ("P8", ALL, put_event(0, 0, job=2)),
    "an event counts other transitions": ("P8", ALL, put_event(0, 1, tseq=3)),
    "a snapshot has an old row": ("P8", ALL, put_row(0, seq=2, tseq=2, status="ACQUIRED")),
    "a snapshot has a row of the future": ("P8", ALL, put_row(0, seq=4, progress_amount=0.1)),
    "a snapshot has another status": ("P8", ALL, put_row(1, status="RUNNING")),
    "a snapshot has a job that never was": ("P8", ALL, put_row(1, pk=77)),
    "a plain message has another name": ("P8", PLAIN, put_said(8, transition="finish")),
    "a plain message has another body": ("P8", PLAIN, put_said(6, transition_data={})),
    "a bookmark passes over what a job became": ("P8", history(
        ask(), subscribed("snapshot", 4), snapshot(4, 1, 2), bookmark(14)), put_record(0)),
    "a good cursor is answered by a snapshot": ("P9", history(
        ask(at(7)), subscribed("snapshot", 14, "expired"), snapshot(14, 1, 2)), put_record(0)),
    "a good cursor is refused": ("P9", PLAIN_REFUSED, put_record(0)),
    "a cursor is called old that is not": ("P10", GIVEN_UP, put("subscribed", 0, reset="expired")),
    "a cursor is called ahead that is not": ("P10", GIVEN_UP, put(
        "subscribed", 0, reset="cursor_ahead")),
    "a good cursor is called of another epoch": ("P10", history(
        ask(at(7)), subscribed("snapshot", 14, "epoch"), snapshot(14, 1, 2)), put_record(0)),
    "a cursor of another epoch is honoured": ("P10", GIVEN_UP, put(
        "subscribed", 0, reset=None, mode="resume", **{"from": at(3)})),
    "a reset in the middle of nothing": ("P10", ALL, lambda records: records.insert(
        6, {"what": "frame", "at": 6.5, "conn": 1,
            "frame": {"op": "reset", "id": "s", "reason": "expired"}})),
    "a plain cursor is refused though it is good": ("P10", PLAIN_REFUSED, put_record(0)),
    "an event outside the filter": ("P11", RUNNING, more(1, event(6))),
    "an event of another job": ("P11", TRANSITIONS, more(0, event(4))),
    "a report that nobody wanted": ("P11", TRANSITIONS, more(0, event(10))),
    "leaving is not said": ("P11", RUNNING, put_event(1, 0, left=False)),
    "leaving is said too early": ("P11", RUNNING, put_event(0, 2, left=True)),
    "entering is not said": ("P11", RUNNING, put_event(0, 0, entered=False)),
    "entering is said again": ("P11", RUNNING, put_event(0, 2, entered=True)),
    "a snapshot lacks a job": ("P11", ALL, lambda r: frame(r, "snapshot")["jobs"].pop()),
    "a paged snapshot lacks a job": ("P11", PAGED, lambda r: frame(r, "snapshot")["jobs"].pop()),
    "a snapshot has a job outside the filter": ("P11", RUNNING, put(
        "snapshot", 0, jobs=snapshot(3, 1)["jobs"])),
    "a plain socket tells of another job": ("P11", PLAIN, put_said(6, pk=1, cursor=at(11))),
    "a plain socket shows what it does not know": ("P11", history(
        ask(at(0), topic="job", jobs=(2,)), plain(2), face="plain"), put_record(0)),
    "an answered change is not there": (
        "P12", REPORTED, put_record(2, change=["progress", 1, 99])),
    "an answer to what was not asked": ("P12", REPORTED, without(1)),
}  # fmt: skip


def spoiled(found: History, spoil: Spoil) -> History:
    records = [msgspec.to_builtins(record) for record in found.records]
    spoil(records)
    return read(msgspec.json.encode(record) for record in records)


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_history_is_found_out(name: str) -> None:
    due, found, spoil = SPOILED[name]

    assert due in faults(spoiled(found, spoil))


def test_a_change_that_was_done_twice_is_found_out() -> None:
    twice_done = [{**row} for row in ROWS]
    twice_done[6]["data"] = twice_done[4]["data"]

    found = violations([REPORTED], Oracle("e1", 0, logged(twice_done), NAMES))

    assert [(one.property, one.line) for one in found] == [("P12", 3)]
    assert "2 times in the log, asked for 1 times" in str(found[0])


def test_a_hidden_job_is_in_no_list_and_can_be_named() -> None:
    hidden = [{**row} for row in ROWS]
    hidden[13] |= {"type": "destroy", "data": hidden[13]["data"].replace("false", "true")}
    log = Oracle("e1", 0, logged(hidden), NAMES)
    last = {**event(14), "transition": "destroy", "data": msgspec.json.decode(hidden[13]["data"])}

    def found(asked: Subscribe, then: tuple[int, ...], **marks: bool) -> set[str]:
        told = history(
            *(asked, subscribed("snapshot", 13), snapshot(13, *asked.jobs or (1, 2))),
            *(events(13, 14, {**last, **marks}), cut(), msgspec.structs.replace(asked, conn=2)),
            *(subscribed("snapshot", 14), snapshot(14, *then)),
        )
        return {one.property for one in violations([told], log)}

    by_number = ask(topic="job", jobs=(2,))
    assert found(by_number, (2,)) == set()
    assert found(ask(), (1,), left=True) == set()
    assert found(ask(), (1,)) == {"P11"}
    assert found(ask(), (1, 2), left=True) == {"P11"}


def test_every_property_was_broken() -> None:
    assert {due for due, _, _ in SPOILED.values()} == set(PROPERTIES)
    assert set(PROPERTIES) == {f"P{number}" for number in range(1, 13)}


# --- Histories nobody wrote -----------------------------------------------------------------------


def lived(chance: Random) -> tuple[History, Oracle]:
    log = SimulatedLog(chance)
    log.grow(chance.randint(0, 10))
    told = SimulatedClient(log, chance).live(turns=chance.randint(1, 15))
    return told, log.oracle()


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_a_correct_hub_breaks_no_promise(chance: Random) -> None:
    told, log = lived(chance)

    assert violations([told], log) == []


def mutations(records: list[Any]) -> list[tuple[str, Spoil]]:
    """Return every single change to a history that no correct hub could have caused."""
    found: list[tuple[str, Spoil]] = []
    for number, record in enumerate(records):
        told = record.get("frame", {})
        follows = records[number + 1].get("frame", {}) if number + 1 < len(records) else {}
        match told.get("op"):
            case "events":
                found += _of_events(number, told, is_followed="from" in follows)
            case "snapshot":
                found += _of_snapshot(number, told)
            case "subscribed" if told["mode"] == "resume":
                found.append(("an unjustified reset", put_said(number, reset="expired")))
        if told:
            found.append(("an unjustified restart", _restart(number)))
    return found


def _restart(number: int) -> Spoil:
    def restarted(records: list[Any]) -> None:
        reset = {"op": "reset", "id": "s", "reason": "epoch"}
        records.insert(number + 1, {**records[number], "frame": reset})

    return restarted


def _of_snapshot(number: int, told: Json) -> list[tuple[str, Spoil]]:
    found = [("another cursor", put_said(number, at="v1:sim:9999"))]
    if told["jobs"]:
        found.append(("an old row", lambda r: r[number]["frame"]["jobs"][0].update(seq=0)))
    if told["jobs"] and told["part"] == 1 and told["last"]:  # a page may be of a later moment
        found.append(("a lost row", lambda r: r[number]["frame"]["jobs"].pop()))
    return found


def _of_events(number: int, told: Json, *, is_followed: bool) -> list[tuple[str, Spoil]]:
    begins = int(told["from"].split(":")[2])
    found = [("a broken chain", put_said(number, **{"from": f"v1:sim:{begins + 1}"}))]
    if is_followed:
        ends = int(told["to"].split(":")[2])
        found += [("a wrong cursor", put_said(number, to=f"v1:sim:{ends + d}")) for d in (1, -1)]
        if told["events"]:
            found.append(("a lost message", without(number)))
    for which, one in enumerate(told["events"]):
        found += [
            (name, _in_message(number, partial(change, which=which)))
            for name, change in _of_event(which, one)
        ]
    return found


def _in_message(number: int, change: Callable[[list[Json]], object]) -> Spoil:
    return lambda records: change(records[number]["frame"]["events"])


def _lost(shown: list[Json], which: int) -> None:
    del shown[which]


def _doubled(shown: list[Json], which: int) -> None:
    shown.insert(which, shown[which])


def _swapped(shown: list[Json], which: int) -> None:
    shown.insert(which - 1, shown.pop(which))


def _never_left(shown: list[Json], which: int) -> None:
    del shown[which]["left"]


def _never_entered(shown: list[Json], which: int) -> None:
    del shown[which]["entered"]


def _skipped_more(shown: list[Json], which: int) -> None:
    shown[which]["skip"] += 1


def _of_event(which: int, one: Json) -> list[tuple[str, Callable[..., None]]]:
    is_new = bool(one.get("entered"))
    changes = {
        "a lost event": (True, _lost),
        "an event twice": (True, _doubled),
        "swapped": (which > 0, _swapped),
        "left not said": (bool(one.get("left")), _never_left),
        "entered not said": (is_new and one["transition"] != "create", _never_entered),
        "a wrong skip": (True, _skipped_more),
    }
    return [(name, change) for name, (is_possible, change) in changes.items() if is_possible]


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_any_one_fault_of_a_hub_breaks_a_promise(chance: Random) -> None:
    told, log = lived(chance)
    known = mutations([msgspec.to_builtins(record) for record in told.records])
    name, spoil = chance.choice(known)

    found = violations([spoiled(told, spoil)], log)

    assert found, name
