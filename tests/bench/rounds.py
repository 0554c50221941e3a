"""Two servers in turns, so that what disturbs the machine disturbs both."""

from collections.abc import Awaitable, Callable
from statistics import median
from typing import NamedTuple

from tests.bench.pounding import Load

Measure = Callable[[float], Awaitable[Load]]
"""Put load on one server for so many seconds."""

WARM_UP_S = 0.5


class Pair(NamedTuple):
    """One round: the hub, and what it is compared with."""

    hub: Load
    yardstick: Load


async def in_turns(hub: Measure, yardstick: Measure, *, rounds: int, seconds: float) -> list[Pair]:
    """Measure both in each round, after an unmeasured start; who is first alternates."""
    await hub(WARM_UP_S)
    await yardstick(WARM_UP_S)
    pairs = []
    for number in range(rounds):
        if number % 2:
            theirs, ours = await yardstick(seconds), await hub(seconds)
        else:
            ours, theirs = await hub(seconds), await yardstick(seconds)
        pairs.append(Pair(ours, theirs))
    return pairs


def ratio(pairs: list[Pair]) -> float:
    """Return the median of the rounds' ratios: one disturbed round is outvoted."""
    return median(pair.hub.per_s / pair.yardstick.per_s for pair in pairs)
