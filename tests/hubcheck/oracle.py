"""The log as the database has it, with every job as it stood after each of its events."""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
from msgspec import Struct, structs

from tests.folding import read_story

VOID = "void"


class Row(Struct, frozen=True, kw_only=True):
    """What filters ask of a job, as it stood after an event of it; a hidden one is in no list."""

    status: str
    progress: float
    labels: dict[str, Any]
    creator: int | None
    template: int
    parent: int | None
    node: int | None
    is_hidden: bool


class Logged(Struct, frozen=True, kw_only=True):
    """An event of the log; ``after`` is ``None`` when it cannot be known any more."""

    g: int
    job: int
    seq: int
    tseq: int
    type: str
    from_status: str | None
    to_status: str | None
    time_us: int
    attempt: int
    node: int | None
    progress: float
    n: int
    data: Any
    after: Row | None

    @property
    def is_progress(self) -> bool:
        """Whether it is a report, and no transition."""
        return self.type == "progress"


class Place(NamedTuple):
    """What a cursor says."""

    epoch: str
    g: int


def place(cursor: str) -> Place:
    """Return what is written in a cursor; clients must not look, the checker may.

    Raises:
        ValueError: it is no cursor.
    """
    version, epoch, number = cursor.split(":")
    if version != "v1":
        raise ValueError(f"{cursor!r} is no cursor")
    return Place(epoch, int(number))


class Names(Struct, frozen=True):
    """The numbers behind names that filters may use."""

    users: dict[str, int] = {}
    templates: dict[str, frozenset[int]] = {}


class Oracle:
    """The log from ``floor + 1`` to ``head`` of ``epoch``."""

    def __init__(
        self, epoch: str, floor: int, events: Iterable[Logged], names: Names | None = None
    ) -> None:
        self.epoch = epoch
        self.floor = floor
        self.events = sorted(events, key=lambda event: event.g)
        self.names = names or Names()
        self.head = self.events[-1].g if self.events else floor
        self._numbers = [event.g for event in self.events]
        self._by_number = {event.g: event for event in self.events}
        self._by_job: dict[int, list[Logged]] = {}
        for event in self.events:
            self._by_job.setdefault(event.job, []).append(event)

    def event(self, g: int) -> Logged | None:
        """Return the event with this number."""
        return self._by_number.get(g)

    def between(self, after: int, upto: int) -> Sequence[Logged]:
        """Return the events with ``after < g <= upto``, in order."""
        return self.events[bisect_right(self._numbers, after) : bisect_right(self._numbers, upto)]

    def of_job(self, job: int) -> Sequence[Logged]:
        """Return the events of a job, in order."""
        return self._by_job.get(job, ())

    def last(self, job: int, upto: int) -> Logged | None:
        """Return the newest event of a job with ``g <= upto``."""
        events = self.of_job(job)
        at = bisect_right(events, upto, key=lambda event: event.g)
        return events[at - 1] if at else None

    def before(self, event: Logged) -> Logged | None:
        """Return the event of the same job before ``event``."""
        return self.last(event.job, event.g - 1)

    def at_seq(self, job: int, seq: int) -> Logged | None:
        """Return the event ``seq`` of a job."""
        return next((event for event in self.of_job(job) if event.seq == seq), None)

    def jobs_at(self, g: int) -> Iterator[Logged]:
        """Return the newest event with a number up to ``g`` of every job that had one."""
        for job in self._by_job:
            last = self.last(job, g)
            if last is not None:
                yield last


def logged(rows: Iterable[Mapping[str, Any]]) -> list[Logged]:
    """Return rows of the events table, in the order of ``gseq``, with their jobs after each."""
    after: dict[int, Row | None] = {}
    found = []
    for row in rows:
        data = json.loads(row["data"])
        after[row["job"]] = _after(after.get(row["job"]), row, data)
        found.append(
            Logged(
                g=row["gseq"],
                job=row["job"],
                seq=row["seq"],
                tseq=row["tseq"],
                type=row["type"],
                from_status=row["from_status"],
                to_status=row["to_status"],
                time_us=row["time_us"],
                attempt=row["attempt"],
                node=row["node"],
                progress=row["progress"],
                n=row["n"],
                data=data,
                after=after[row["job"]],
            )
        )
    return found


def _after(before: Row | None, event: Mapping[str, Any], data: Any) -> Row | None:
    if event["type"] == "progress":
        return before and structs.replace(before, progress=event["progress"])
    short = data.get("row") if event["type"] != VOID else None
    if short is None:
        return None
    return Row(
        status=short["status"],
        progress=short["progress_amount"],
        labels=short["labels"],
        creator=short["creator"],
        template=short["template"],
        parent=short["parent"],
        node=short["node"],
        is_hidden=short["deleted"],
    )


async def read_oracle(url: str) -> Oracle:
    """Read the database at a ``sqlite:///`` or ``postgresql://`` address."""
    story = await read_story(url)
    users, templates = await _names(url)
    by_name: dict[str, set[int]] = {}
    for pk, name in templates:
        by_name.setdefault(name, set()).add(pk)
    names = Names(
        {name: pk for pk, name in users},
        {name: frozenset(pks) for name, pks in by_name.items()},
    )
    return Oracle(story.clock["epoch"], story.clock["floor"], logged(story.events), names)


NAMES = ("SELECT pk, username FROM users", "SELECT pk, name FROM job_templates")


async def _names(url: str) -> list[list[tuple[int, str]]]:
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            return [connection.execute(question).fetchall() for question in NAMES]
        finally:
            connection.close()
    server = await asyncpg.connect(url)
    try:
        return [[tuple(row) for row in await server.fetch(question)] for question in NAMES]
    finally:
        await server.close()
