"""In which order a worker is offered jobs: what it could not take goes behind the others.

A UFDL worker tries jobs in the order of the list that it polled, and gives the whole list up when
it cannot even load what a job needs. One such job at the head would keep it from all others for
ever. It never says so; it only polls again, and finds the same job at the head. Pure.
"""

from collections import OrderedDict
from collections.abc import Sequence

OFFERED_MAX = 3
"""How often a job stands first for a node that does not take it, before others do."""

NODES_MAX = 1_000
"""Nodes that are remembered; the one that polled longest ago is forgotten."""


class Offers:
    """How often each node was offered a job first; one process's memory, lost with it."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, dict[int, int]] = OrderedDict()

    def ordered(self, node: int, jobs: Sequence[int]) -> list[int]:
        """Return free jobs in the order in which a node shall try them, and count the first.

        Args:
            node: Who polls.
            jobs: What nobody holds, in the order of the list; what is missing was taken.
        """
        free = set(jobs)
        counts = {job: n for job, n in self._first.pop(node, {}).items() if job in free}
        order = sorted(jobs, key=lambda job: counts.get(job, 0) >= OFFERED_MAX)
        if order:
            counts[order[0]] = min(counts.get(order[0], 0) + 1, OFFERED_MAX)
            self._remember(node, counts)
        return order

    def _remember(self, node: int, counts: dict[int, int]) -> None:
        self._first[node] = counts
        if len(self._first) > NODES_MAX:
            self._first.popitem(last=False)
