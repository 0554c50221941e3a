"""``kill -9`` of the hub at any moment: what was answered is there once, and it serves again."""

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.faults.crowd import all_live, crowd
from tests.faults.history import History
from tests.faults.stage import Stage

NODES = 8
ROUNDS = [5, pytest.param(60, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]


async def ended_under_load(workers: "asyncio.Task[None]", end: Callable[[], object]) -> None:
    """End the hub, and wait until its workers have noticed."""
    assert not workers.done(), "the workers ended before the hub did"
    assert not await asyncio.to_thread(end), "no clean exit"
    await asyncio.wait_for(workers, 10)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_what_was_answered_outlives_a_hub_that_is_killed(stage: Stage, rounds: int) -> None:
    dice = random.Random(rounds)
    history = History()
    hub = stage.start()
    workers = crowd(await stage.world(hub, NODES), history, seed=rounds)
    # The last one is asked to stop: that loses nothing either.
    for is_last in [*[False] * rounds, True]:
        working = asyncio.create_task(all_live(hub.listens_at, workers))
        await asyncio.wait([working], timeout=dice.uniform(0.05, 0.8))
        await ended_under_load(working, hub.stop if is_last else hub.kill)
        assert hub.complaints() == []
        hub = stage.start()
        assert history.against((await stage.story()).events) == []
        assert await stage.faults() == []
    assert history.done.total() > 50 * rounds
