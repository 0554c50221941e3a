"""The executions of a job, told by its events: written from their description, not from the rules.

One execution a queueing. A run that was lost ends one, but may go on in it until somebody else got
the job or it was canceled or aborted: only then the next one begins.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

Row = Mapping[str, Any]


class Told(msgspec.Struct):
    """One execution; ``attempt`` is its last grant."""

    attempt: int = 0
    node: int | None = None
    outcome: str | None = None
    error: str | None = None
    has_begun: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it has come to an end."""
        return self.outcome is not None


Tale = list[Told]


def told(events: Iterable[Row]) -> Tale:
    """Return the executions of a job, given its events in order."""
    tale: Tale = []
    for event in events:
        STEPS.get(event["type"], _nothing)(tale, event)
    return tale


def _nothing(tale: Tale, event: Row) -> None:
    del tale, event


def _queued(tale: Tale, event: Row) -> None:
    del event
    tale.append(Told())


def _granted(tale: Tale, event: Row) -> None:
    if event["from_status"] == "FAILED":  # its run stays as it ended
        return
    if tale[-1].has_ended:
        tale.append(Told())
    tale[-1].attempt, tale[-1].node = event["attempt"], event["node"]


def _given_back(tale: Tale, event: Row) -> None:
    if event["from_status"] == "ACQUIRED":
        tale[-1].node = None


def _begun(tale: Tale, event: Row) -> None:
    del event
    tale[-1].has_begun = True


def _ended(outcome: str) -> Callable[[Tale, Row], None]:
    def end(tale: Tale, event: Row) -> None:
        tale[-1].outcome = outcome
        tale[-1].error = json.loads(event["data"])["row"]["error_reason"]

    return end


def _canceled(tale: Tale, event: Row) -> None:
    if event["from_status"] == "FAILED":
        return
    if tale[-1].has_ended:
        tale.append(Told())
    _ended("canceled")(tale, event)


def _reset(tale: Tale, event: Row) -> None:
    tale.append(Told(event["attempt"], event["node"]))


def _aborted(tale: Tale, event: Row) -> None:
    if event["from_status"] in ("ACQUIRED", "RUNNING"):
        tale[-1].outcome = "aborted"
    tale.append(Told())


def _lost(tale: Tale, event: Row) -> None:
    if (event["from_status"], event["to_status"]) == ("ACQUIRED", "QUEUED"):
        tale[-1].node = None
        return
    _ended("lost")(tale, event)
    data = json.loads(event["data"])
    if event["to_status"] == "QUEUED" and data.get("reason") == "superseded-by-self":
        tale.append(Told())


def _back(tale: Tale, event: Row) -> None:
    if event["from_status"] == "QUEUED":
        tale[-1].outcome = None


STEPS: dict[str, Callable[[Tale, Row], None]] = {
    "create": _queued,
    "acquire": _granted,
    "release": _given_back,
    "start": _begun,
    "finish": _ended("completed"),
    "error": _ended("failed"),
    "timeout": _ended("failed"),
    "cancel": _canceled,
    "reset": _reset,
    "abort": _aborted,
    "requeue": _queued,
    "lost": _lost,
    "revived": _back,
}


def faults(job: Row | None, events: Sequence[Row], stored: Sequence[Row]) -> Iterator[str]:
    """Say how the executions that are stored differ from those that a job's events tell.

    Args:
        job: Its row, ``None`` when it was removed: then nothing may be left.
        events: Its events in order.
        stored: Its executions.
    """
    if job is None or job["children"]:  # nobody executes a meta-job
        yield from (f"execution {row['number']} of nothing" for row in stored)
        return
    if len(stored) != job["num_exes"]:
        yield f"it counts {job['num_exes']} executions, {len(stored)} are stored"
    found = {row["number"]: _as_told(row) for row in stored}
    expected = dict(enumerate(told(events), 1))
    for number in sorted(found.keys() | expected.keys()):
        if found.get(number) != expected.get(number):
            yield (
                f"execution {number} is {found.get(number)}, its events tell {expected.get(number)}"
            )
    yield from (
        f"execution {row['number']} has an outcome or an end, not both"
        for row in stored
        if (row["outcome"] is None) != (row["end_us"] is None)
    )


def _as_told(row: Row) -> Told:
    return Told(
        row["attempt"], row["node"], row["outcome"], row["error"], row["start_us"] is not None
    )
