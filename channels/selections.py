"""Which events a stream has: those of some jobs, or of all jobs that match a filter. Pure.

Equal selections are equal values, so that all who want the same share one stream.
"""

from functools import lru_cache
from typing import Protocol

import msgspec

from channels.events import Event

REMOVED = frozenset({"destroy"})
RETURNED = frozenset({"create", "reinstate"})
QUIET = frozenset({"update", "output"})
"""Transitions that are possible of a hidden job too."""


class Mark(msgspec.Struct, frozen=True):
    """What an event means to a selection, besides that it belongs to it.

    Attributes:
        entered: The job began to match with it.
        left: The job matched until it.
    """

    entered: bool = False
    left: bool = False


STAYS = Mark()
ENTERS = Mark(entered=True)
LEAVES = Mark(left=True)


class Selection(Protocol):
    """A hashable value that says which events are wanted."""

    def judge(self, event: Event) -> Mark | None:
        """Return what ``event`` means here; ``None``: nothing."""
        ...


class OfJobs(msgspec.Struct, frozen=True):
    """All events of some jobs, or only those of some kinds (``t``, ``p``)."""

    jobs: frozenset[int]
    kinds: frozenset[str] = frozenset()

    def judge(self, event: Event) -> Mark | None:
        """Return what ``event`` means here; ``None``: nothing."""
        if event.job not in self.jobs or (self.kinds and event.kind not in self.kinds):
            return None
        return STAYS


class OfFilter(msgspec.Struct, frozen=True):
    """The events of all jobs that match; what is empty does not restrict.

    Of a job that was removed for good nothing is known any more: its blank events are for
    everybody, since nobody else could tell those who had seen it.

    Attributes:
        statuses: The job is in one of these.
        kinds: The event is one of these, ``t`` or ``p``.
        labels: Keys and values, each of which the job has.
        creators: One of these accounts made the job.
        nodes: One of these holds the job.
        templates: The job was made of one of these.
        parents: The job is a member of one of these.
    """

    statuses: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    labels: frozenset[tuple[str, str]] = frozenset()
    creators: frozenset[int] = frozenset()
    nodes: frozenset[int] = frozenset()
    templates: frozenset[int] = frozenset()
    parents: frozenset[int] = frozenset()

    def judge(self, event: Event) -> Mark | None:
        """Return what ``event`` means here; ``None``: nothing."""
        if self.kinds and event.kind not in self.kinds:
            return None
        if event.about is None:
            return LEAVES if event.type in REMOVED else STAYS
        if not self._wants_job(event):
            return None
        if event.kind == "p":
            return STAYS if self._wants(event.to_status, event.node) else None
        return _MARKS[self._matched_before(event), self._matches_after(event)]

    def _wants_job(self, event: Event) -> bool:
        about = event.about
        assert about is not None
        return (
            (not self.templates or about.template in self.templates)
            and (not self.creators or about.creator in self.creators)
            and (not self.parents or about.parent in self.parents)
            and (not self.labels or self.labels <= pairs(about.labels))
        )

    def _wants(self, status: str | None, node: int | None) -> bool:
        return (not self.statuses or status in self.statuses) and (
            not self.nodes or node in self.nodes
        )

    def _matched_before(self, event: Event) -> bool:
        if event.type in RETURNED or _is_hidden(event):
            return event.type in REMOVED and self._wants(event.from_status, event.node)
        return self._wants(event.from_status, holder_before(event) if self.nodes else event.node)

    def _matches_after(self, event: Event) -> bool:
        return not _is_hidden(event) and self._wants(event.to_status, event.node)


_MARKS = {
    (False, False): None,
    (False, True): ENTERS,
    (True, False): LEAVES,
    (True, True): STAYS,
}


@lru_cache(maxsize=4_096)
def pairs(labels: str) -> frozenset[tuple[str, str]]:
    """Return the labels of a job, given as JSON, as keys and values."""
    return frozenset(msgspec.json.decode(labels, type=dict[str, str]).items())


class _Row(msgspec.Struct, frozen=True):
    deleted: bool = False


class _Told(msgspec.Struct, frozen=True):
    row: _Row = _Row()
    from_node: int | msgspec.UnsetType | None = msgspec.UNSET


_TOLD = msgspec.json.Decoder(_Told)


def holder_before(event: Event) -> int | None:
    """Return the node that held the job before a transition."""
    told = _TOLD.decode(event.data).from_node
    return event.node if told is msgspec.UNSET else told


def _is_hidden(event: Event) -> bool:
    """Whether the job is hidden after a transition."""
    if event.type in QUIET:
        return _TOLD.decode(event.data).row.deleted
    return event.type in REMOVED
