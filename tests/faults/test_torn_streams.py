"""`hub.v1` over a bad network: what was told, over all connections together, is what the log says.

Every subscription is recorded, and each property of the protocol is checked against the log.
"""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from channels.protocol.frames import Filter, Subscribe
from tests.bench.client import Caller, dial
from tests.faults.chaos_proxy import ChaosProxy
from tests.faults.stage import Stage
from tests.faults.test_torn_sockets import LAST, Scene, calm, misbehave, scene
from tests.hubcheck.history import History
from tests.hubcheck.oracle import read_oracle
from tests.hubcheck.properties import violations
from tests.hubcheck.recorders import HubV1Recorder, Message

STEPS = 400
JOBS = 40
QUIET_S = 5.0


def wishes(job: int) -> list[Subscribe]:
    """Return one subscription of each kind."""
    return [
        Subscribe(id="job", topic="job", jobs=(job,), progress="all"),
        Subscribe(id="latest", topic="jobs", progress="latest"),
        Subscribe(id="running", topic="jobs", filter=Filter(status=("RUNNING",)), progress="all"),
        Subscribe(id="quiet", topic="jobs", progress="none", snapshot="never"),
        Subscribe(id="reports", topic="jobs", filter=Filter(type=("progress",)), progress="all"),
    ]


def is_last(message: Message) -> bool:
    """Say whether a message tells the last report, in the subscription that shows all of them."""
    return message.get("id") == "job" and any(
        event["data"] == {"counter": LAST} for event in message.get("events", ())
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_streams_tell_over_a_bad_network_is_what_the_log_says(
    stage: Stage, seed: int
) -> None:
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(scene(stage, limit_s=100))
        proxy = await stack.enter_async_context(ChaosProxy(on.hub.listens_at).running())
        clients = [
            HubV1Recorder(
                f"ws://{proxy.address[0]}:{proxy.address[1]}/v1/stream",
                wishes(on.job),
                f"s{number}",
                headers={"Authorization": f"Bearer {on.world.token}"},
                limit_s=2.0,
            )
            for number in range(3)
        ]
        following = [asyncio.create_task(one.follow(is_last)) for one in clients]
        changing = asyncio.gather(on.post(range(1, STEPS), per_s=150), make_jobs(on))
        while not changing.done():
            await misbehave(proxy, chance)
        await changing
        calm(proxy)
        await on.post(range(LAST, LAST + 1), per_s=100)
        await asyncio.gather(*following)
        for one in clients:
            one.quiet(QUIET_S)

        assert any(one.connections > 1 for one in clients)
        assert await found(stage, [one.history for one in clients]) == []


async def make_jobs(on: Scene) -> None:
    """Make jobs that nobody takes, one after the other."""
    caller = await dial(on.hub.listens_at, Caller())
    try:
        for _ in range(JOBS):
            await on.world.create_job(caller)
            await asyncio.sleep(0.03)
    finally:
        caller.transport.close()


async def found(stage: Stage, histories: list[History]) -> list[str]:
    oracle = await read_oracle(stage.database_url)
    return [str(one) for one in violations(histories, oracle)]
