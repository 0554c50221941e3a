"""All properties, and what is wrong by any of them."""

from collections.abc import Iterable

from tests.hubcheck import (
    answers,
    chains,
    completeness,
    contents,
    filtering,
    ordering,
    resuming,
)
from tests.hubcheck.history import History
from tests.hubcheck.oracle import Oracle
from tests.hubcheck.violations import PROPERTIES, Violation

MODULES = (ordering, completeness, chains, contents, resuming, filtering, answers)
"""Each registers its properties when it is imported."""


def violations(histories: Iterable[History], oracle: Oracle) -> list[Violation]:
    """Return everything that is wrong with some histories."""
    return [
        one
        for history in histories
        for check in PROPERTIES.values()
        for one in check(history, oracle)
    ]
