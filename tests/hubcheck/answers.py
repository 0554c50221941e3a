"""What was answered: P12."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.hubcheck.history import Answered, Asked, History
from tests.hubcheck.oracle import Logged, Oracle
from tests.hubcheck.violations import Fault, named


@named("P12")
def answered_is_there_once(history: History, oracle: Oracle) -> Iterator[Fault]:
    """A change that was answered is in the log, once; an unanswered one at most once."""
    asked, answered, lines = Counter[Any](), Counter[Any](), dict[Any, int]()
    for number, record in enumerate(history.records, 1):
        if isinstance(record, Asked | Answered):
            (asked if isinstance(record, Asked) else answered)[record.change] += 1
            lines[record.change] = number
    stored = Counter(
        change for event in oracle.events for change in [change_of(event)] if change in lines
    )
    for change in lines:
        most = asked[change]
        if not answered[change] <= stored[change] <= most:
            yield (
                lines[change],
                f"{' '.join(map(str, change))}: {stored[change]} times in the log,"
                f" asked for {most} times, answered {answered[change]} times",
            )


def change_of(event: Logged) -> tuple[str, int, int]:
    """Return the change that an event is: reports are told apart by their ``counter``."""
    if event.is_progress:
        number = event.data.get("counter", 0)
        return event.type, event.job, number if isinstance(number, int) else 0
    return event.type, event.job, event.attempt
