"""Many nodes ask for one job at once: one gets it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.bench.client import Address, Caller, Refused, dial
from tests.bench.world import World
from tests.faults.stage import Stage

NODES = 64
ROUNDS = [20, pytest.param(200, marks=[pytest.mark.nightly, pytest.mark.timeout(600)])]


class Racer:
    """A node on a connection of its own."""

    def __init__(self, world: World, node: int, caller: Caller) -> None:
        self.node = node
        self._world = world
        self._caller = caller

    async def ask(self, method: str, job: int, what: str) -> int:
        """Return 0 when it was granted, else the status of the refusal."""
        request = self._world.request(method, f"/jobs/{job}/{what}", node=self.node)
        try:
            told = json.loads(await self._caller.call(request))
        except Refused as refused:
            return int(str(refused)[:3])
        assert told["pk"] == job
        return 0


@asynccontextmanager
async def connected(addresses: Sequence[Address], count: int) -> AsyncIterator[list[Caller]]:
    """So many connections, spread over the hubs."""
    callers = [await dial(addresses[n % len(addresses)], Caller()) for n in range(count)]
    try:
        yield callers
    finally:
        for caller in callers:
            caller.transport.close()


async def one_round(racing: Sequence[Racer], job: int) -> Racer:
    """Let all ask for ``job`` in one turn of the loop, and return the one that got it."""
    asked = asyncio.gather(*(racer.ask("GET", job, "acquire") for racer in racing))
    answers = await asyncio.wait_for(asked, 20)
    assert sorted(answers) == [0, *[409] * (len(racing) - 1)]
    return racing[answers.index(0)]


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_of_many_nodes_that_ask_at_once_one_gets_the_job(stage: Stage, rounds: int) -> None:
    # On PostgreSQL half of the nodes ask another process.
    hubs = [stage.start() for _ in range(1 if stage.is_embedded else 2)]
    world = await stage.world(hubs[0], NODES)
    winners: dict[int, list[int]] = {}
    async with connected([hub.listens_at for hub in hubs], NODES + 1) as (maker, *callers):
        pairs = zip(world.nodes, callers, strict=True)
        racing = [Racer(world, node, caller) for node, caller in pairs]
        for _ in range(rounds):
            job = await world.create_job(maker)
            first = await one_round(racing, job)
            assert await first.ask("DELETE", job, "release") == 0
            second = await one_round(racing, job)
            winners[job] = [first.node, second.node]
    granted: dict[int, list[int]] = {}
    for event in (await stage.story()).events:
        if event["type"] == "acquire":
            granted.setdefault(event["job"], []).append(event["node"])
    assert granted == winners
    assert await stage.faults() == []
