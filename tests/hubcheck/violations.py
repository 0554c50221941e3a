"""What a broken promise looks like, and the list of those that are checked."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from tests.hubcheck.history import History
from tests.hubcheck.oracle import Oracle


class Violation(Struct, frozen=True):
    """A broken promise: which one, to whom, in which line of the history, in words."""

    property: str
    client: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.property} {self.client}:{self.line} {self.text}"


Property = Callable[[History, Oracle], list[Violation]]

PROPERTIES: dict[str, Property] = {}
"""All of them by name, in order."""

Fault = tuple[int, str]
"""A line of the history, and what is wrong there."""


def named(name: str) -> Callable[[Callable[[History, Oracle], Iterator[Fault]]], Property]:
    def register(found: Callable[[History, Oracle], Iterator[Fault]]) -> Property:
        def check(history: History, oracle: Oracle) -> list[Violation]:
            who = history.client.client
            return [Violation(name, who, line, text) for line, text in found(history, oracle)]

        check.__doc__ = found.__doc__
        PROPERTIES[name] = check
        return check

    return register
