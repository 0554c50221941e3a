"""What callers were told, against the log: each answered change once, and no other at all."""

import json
from collections import Counter
from collections.abc import Iterable

from tests.folding import Row

Change = tuple[str | int, ...]
"""One change as both sides can name it: what happened, to which job, in which attempt or words."""


class History:
    """What was asked for: ``done`` was answered, ``unsure`` was asked and never answered."""

    def __init__(self) -> None:
        self.done: Counter[Change] = Counter()
        self.unsure: Counter[Change] = Counter()

    def against(self, events: Iterable[Row]) -> list[str]:
        """Return every change that is missing from the log, or there more often than it may be."""
        logged = Counter(change_of(event) for event in events)
        return [
            f"{change}: {logged[change]} in the log,"
            f" {self.done[change]} answered, {self.unsure[change]} without an answer"
            for change in logged.keys() | self.done.keys()
            if not 0 <= logged[change] - self.done[change] <= self.unsure[change]
        ]


def change_of(event: Row) -> Change:
    """Return the change that a stored event is."""
    kind, data = event["type"], json.loads(event["data"])
    match kind:
        case "create" | "update":
            return kind, data["row"]["description"]
        case "progress":
            return kind, event["job"], data["counter"]
        case "output":
            return kind, event["job"], data["output"]["name"]
    return kind, event["job"], event["attempt"]
