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


TOLD: dict[Mode, Callable[[Sequence[Entry]], list[Told]]] = {
    "all": everything,
    "latest": newest,
    "none": transitions,
}
