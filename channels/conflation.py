"""What of a stretch of a stream is told: everything, or without progress that is out of date. Pure.

Nothing is reordered or merged, and of every job the newest is told; what was left out is counted.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from channels.events import Event
from channels.selections import Mark

Mode = Literal["latest", "all", "none"]
"""Of progress: the newest of each job in a stretch, every report, or none at all."""


class Entry(NamedTuple):
    """An event of a stream, and what it means there."""

    event: Event
    mark: Mark


class Told(NamedTuple):
    """An event that is told; ``skip`` events of its job were left out just before it."""

    event: Event
    mark: Mark
    skip: int


def everything(entries: Iterable[Entry]) -> list[Told]:
    """Tell all."""
    return [Told(event, mark, 0) for event, mark in entries]


def transitions(entries: Iterable[Entry]) -> list[Told]:
    """Tell transitions only. Progress is not wanted here, and so not left out either."""
    return [Told(event, mark, 0) for event, mark in entries if event.kind == "t"]


def newest(entries: Sequence[Entry]) -> list[Told]:
    """Tell all transitions, and of the progress of each job the last."""
    last = {event.job: event.gseq for event, _ in entries if event.kind == "p"}
    told: list[Told] = []
    skipped: dict[int, int] = {}
    for event, mark in entries:
        if event.kind == "p" and last[event.job] != event.gseq:
            skipped[event.job] = skipped.get(event.job, 0) + 1
        else:
            told.append(Told(event, mark, skipped.pop(event.job, 0)))
    return told


def fitting(
    entries: Sequence[Entry], mode: Mode, most: int, most_bytes: int, envelope_bytes: int
) -> int:
    """Return how many of ``entries`` to take so that what is told of them fits.

    The stretch is cut, not what is told of it: a cut behind the conflation would forget what was
    left out before it.

    Args:
        entries: What there is, oldest first.
        mode: What of the progress is told.
        most: Most events that may be told, from 1.
        most_bytes: About their size together; one by itself may be larger.
        envelope_bytes: What each takes besides its content.
    """
    number = size = 0
    newest_sizes: dict[int, int] = {}
    for count, (event, _) in enumerate(entries):
        if event.kind == "p" and mode == "none":
            continue
        number += 1
        size += event.weight + envelope_bytes
        if event.kind == "p" and mode == "latest":
            superseded = newest_sizes.get(event.job, 0)
            number -= bool(superseded)
            size -= superseded
            newest_sizes[event.job] = event.weight + envelope_bytes
        if number > 1 and (number > most or size > most_bytes):
            return count
    return len(entries)


TOLD: dict[Mode, Callable[[Sequence[Entry]], list[Told]]] = {
    "all": everything,
    "latest": newest,
    "none": transitions,
}
