"""A correct hub in a few lines, without a network: what the checker must find nothing wrong with.

It draws the lives of jobs and how clients come, go, and are served, from a source of chance. The
rules of what is shown are written here once more, so that a mistake of the checker shows.
"""

import json
from random import Random
from typing import Any, Literal

from channels.protocol.frames import Filter
from tests.hubcheck.history import (
    AnyRecord,
    Applied,
    Client,
    Close,
    Connect,
    Frame,
    History,
    Quiet,
    Subscribe,
)
from tests.hubcheck.oracle import Oracle, logged

EPOCH = "sim"
LIVES = {
    "QUEUED": [("acquire", "ACQUIRED"), ("cancel", "CANCELED"), ("update", "QUEUED")],
    "ACQUIRED": [("start", "RUNNING"), ("release", "QUEUED")],
    "RUNNING": [
        *[("progress", "RUNNING")] * 6,
        *(("finish", "COMPLETED"), ("error", "FAILED"), ("abort", "QUEUED")),
    ],
    "FAILED": [("requeue", "QUEUED"), ("cancel", "CANCELED")],
    "CANCELED": [("requeue", "QUEUED")],
    "COMPLETED": [("output", "COMPLETED")],
}


def cursor(g: int) -> str:
    """Return the cursor of a number."""
    return f"v1:{EPOCH}:{g}"


class SimulatedLog:
    """Events of a few jobs, as rows of the events table."""

    def __init__(self, chance: Random, jobs: int = 3) -> None:
        self._chance = chance
        self._jobs = jobs
        self.rows: list[dict[str, Any]] = []
        self._last: dict[int, dict[str, Any]] = {}

    @property
    def head(self) -> int:
        """Number of the newest event."""
        return len(self.rows)

    def grow(self, count: int) -> None:
        """Let so many things happen."""
        for _ in range(count):
            job = self._chance.randint(1, self._jobs)
            last = self._last.get(job)
            before: str | None = last["to_status"] if last else None
            steps = [("create", "QUEUED")] if before is None else LIVES[before]
            kind, after = self._chance.choice(steps)
            self._append(job, kind, before, after)

    def _append(self, job: int, kind: str, before: str | None, after: str) -> None:
        last = self._last.get(job, {"seq": 0, "tseq": 0, "attempt": 0, "progress": 0.0})
        is_report = kind == "progress"
        attempt = last["attempt"] + (kind == "acquire")
        value = round(self._chance.random(), 3) if is_report else last["progress"]
        node = attempt if after in ("ACQUIRED", "RUNNING") else None
        short = {
            "status": after,
            "progress_amount": value,
            "labels": {"team": f"t{job % 2}"},
            "creator": 1,
            "template": 1,
            "parent": None,
            "node": node,
            "deleted": False,
        }
        row = {
            "gseq": self.head + 1,
            "job": job,
            "seq": last["seq"] + 1,
            "tseq": last["tseq"] + (not is_report),
            "type": kind,
            "from_status": before,
            "to_status": after,
            "time_us": self.head,
            "attempt": attempt,
            "node": node,
            "progress": value,
            "n": 1,
            "data": json.dumps({"counter": self.head} if is_report else {"row": short}),
        }
        self.rows.append(row)
        self._last[job] = row

    def oracle(self) -> Oracle:
        """Return the log as the checker reads it."""
        return Oracle(EPOCH, 0, logged(self.rows))

    def standing(self, upto: int) -> dict[int, dict[str, Any]]:
        """Return the newest row of every job up to a number."""
        return {row["job"]: row for row in self.rows[:upto]}


class SimulatedSubscription:
    """What a hub knows of one subscription."""

    def __init__(self, log: SimulatedLog, asked: Subscribe) -> None:
        self._log = log
        self._asked = asked
        self.position = 0

    def begin(self, conn: int) -> list[dict[str, Any]]:
        """Return the first messages: a resumption, or a snapshot in one or two parts."""
        del conn
        given, head = self._asked.cursor, cursor(self._log.head)
        is_resumed = given is not None
        self.position = int(given.split(":")[2]) if given is not None else self._log.head
        rows = [row for row in self._log.standing(self.position).values() if self._matches(row)]
        begun = {
            "op": "subscribed",
            "id": self._asked.sub,
            "mode": "resume" if is_resumed else "snapshot",
            "from": cursor(self.position),
            "head": head,
            "retained_from": cursor(0),
            "reset": None,
        }
        return [begun] if is_resumed else [begun, *self._parts(rows)]

    def _parts(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        half = len(rows) // 2
        parts = [rows[:half], rows[half:]] if half else [rows]
        return [
            {
                "op": "snapshot",
                "id": self._asked.sub,
                "at": cursor(self.position),
                "part": number,
                "last": number == len(parts),
                "jobs": [self._row(row) for row in part],
            }
            for number, part in enumerate(parts, 1)
        ]

    @staticmethod
    def _row(row: dict[str, Any]) -> dict[str, Any]:
        return {
            "pk": row["job"],
            "status": row["to_status"],
            "seq": row["seq"],
            "tseq": row["tseq"],
            "progress_amount": row["progress"],
        }

    def _matches(self, row: dict[str, Any] | None) -> bool:
        if row is None:
            return False
        asked = self._asked
        is_one = not asked.jobs or row["job"] in asked.jobs
        return is_one and (not asked.filter.status or row["to_status"] in asked.filter.status)

    def frame(self, upto: int) -> dict[str, Any]:
        """Return the message with the events up to a number."""
        before = self._log.standing(self.position)
        seen = []
        for row in self._log.rows[self.position : upto]:
            was, is_now = self._matches(before.get(row["job"])), self._matches(row)
            before[row["job"]] = row
            if (was or is_now) and not (
                row["type"] == "progress" and self._asked.progress == "none"
            ):
                seen.append((row, was, is_now))
        newest = {row["job"]: row["gseq"] for row, _, _ in seen if row["type"] == "progress"}
        events, skipped = list[dict[str, Any]](), dict[int, int]()
        for row, was, is_now in seen:
            job, is_report = row["job"], row["type"] == "progress"
            if is_report and self._asked.progress == "latest" and newest[job] != row["gseq"]:
                skipped[job] = skipped.get(job, 0) + 1
            else:
                skip = skipped.pop(job, 0)
                events.append(self._event(row, skip, was=was, is_now=is_now))
        begins, self.position = cursor(self.position), upto
        return {
            "op": "events",
            "id": self._asked.sub,
            "from": begins,
            "to": cursor(upto),
            "events": events,
        }

    @staticmethod
    def _event(row: dict[str, Any], skip: int, *, was: bool, is_now: bool) -> dict[str, Any]:
        marks = {"entered": not was, "left": not is_now}
        return {
            "g": row["gseq"],
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
            "n": row["n"],
            "data": json.loads(row["data"]),
            **{name: True for name, is_so in marks.items() if is_so},
        }

    def bookmark(self) -> dict[str, Any]:
        """Return the message that nothing more happened."""
        place = cursor(self.position)
        return {"op": "bookmark", "id": self._asked.sub, "from": place, "cursor": place}


class SimulatedClient:
    """A client that is cut off now and then, and comes back with the cursor it stored."""

    def __init__(self, log: SimulatedLog, chance: Random) -> None:
        self._log = log
        self._chance = chance
        self._at = 0.0
        self._conn = 0
        self._stored: str | None = None
        self.records: list[AnyRecord] = []
        self._write(Client(at=0.0, client="sim", face="hub.v1", account="ada"))
        statuses: tuple[Literal["RUNNING"], ...] = ("RUNNING",) if chance.random() < 0.4 else ()
        self._filter = Filter(status=statuses)
        self._jobs = (1, 2) if chance.random() < 0.3 else ()
        modes: list[Literal["latest", "all", "none"]] = ["latest", "all", "none"]
        self._progress = chance.choice(modes)

    def _write(self, record: AnyRecord) -> None:
        self.records.append(record)
        self._at += 1.0

    def live(self, turns: int) -> History:
        """Live through so many turns and see all in the end; return what was written."""
        served = self._connect()
        for _ in range(turns):
            self._log.grow(self._chance.randint(0, 6))
            served = self._turn(served)
        if served.position < self._log.head:
            self._take(served.frame(self._log.head))
        self._write(Quiet(at=self._at, within_s=5.0))
        self._take(served.bookmark())
        return History(tuple(self.records))

    def _turn(self, served: SimulatedSubscription) -> SimulatedSubscription:
        kind = self._chance.choice(("frame", "frame", "frame", "bookmark", "store", "cut"))
        match kind:
            case "frame" if served.position < self._log.head:
                upto = self._chance.randint(served.position + 1, self._log.head)
                self._take(served.frame(upto))
            case "bookmark":
                self._take(served.bookmark())
            case "store":
                self._stored = cursor(served.position)
                self._write(Applied(at=self._at, sub="s", cursor=self._stored))
            case "cut":
                self._write(Close(at=self._at, conn=self._conn))
                return self._connect()
            case _:
                pass
        return served

    def _connect(self) -> SimulatedSubscription:
        self._conn += 1
        self._write(Connect(at=self._at, conn=self._conn))
        asked = Subscribe(
            at=self._at,
            conn=self._conn,
            sub="s",
            topic="jobs",
            jobs=self._jobs,
            filter=self._filter,
            progress=self._progress,
            cursor=self._stored,
        )
        self._write(asked)
        served = SimulatedSubscription(self._log, asked)
        for frame in served.begin(self._conn):
            self._take(frame)
        return served

    def _take(self, frame: dict[str, Any]) -> None:
        self._write(Frame(at=self._at, conn=self._conn, frame=frame))
