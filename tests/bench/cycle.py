"""The life of a job in seven requests, against the least durable app that could serve them."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from time import perf_counter

from tests.bench.client import Address, Caller, dial
from tests.bench.metering import metered
from tests.bench.pounding import Load, load_of
from tests.bench.recording import profiled
from tests.bench.report import Outcome, compared
from tests.bench.rounds import in_turns
from tests.bench.stage import Stage
from tests.bench.world import World, create_world, pretended

WORKERS = 16
PROGRESS_VALUES = (0.25, 0.5, 0.75)
REQUESTS = 4 + len(PROGRESS_VALUES)
TARGET = 0.50

Life = Callable[[Caller, World, int], Awaitable[None]]
"""Make a job and have a node do it, from its creation to its end."""


async def one_job(caller: Caller, world: World, node: int) -> None:
    """Lead a life that nobody watches."""
    await work_on(caller, world, await world.create_job(caller), node)


async def work_on(caller: Caller, world: World, job: int, node: int) -> None:
    """Have ``node`` do ``job``; its reports are numbered from 0."""
    await world.begin(caller, job, node)
    for number, value in enumerate(PROGRESS_VALUES):
        await caller.call(world.progress(job, node, value=value, counter=number))
    await world.finish(caller, job, node)


async def _repeat(
    life: Life, caller: Caller, world: World, node: int, ends: float
) -> "array[float]":
    lives_s = array("d")
    while (began := perf_counter()) < ends:
        await life(caller, world, node)
        lives_s.append(perf_counter() - began)
    return lives_s


async def live(address: Address, world: World, seconds: float, life: Life = one_job) -> Load:
    """Let each node of ``world`` do one job after another for ``seconds``; a latency is a job's.

    A job that was begun in time is completed and counts, over the time that all took together.
    """
    callers = [await dial(address, Caller()) for _ in world.nodes]
    began = perf_counter()
    try:
        lives_s = await asyncio.gather(
            *(
                _repeat(life, caller, world, node, began + seconds)
                for caller, node in zip(callers, world.nodes, strict=True)
            )
        )
        took = perf_counter() - began
    finally:
        for caller in callers:
            caller.transport.close()
    flat = [life_s for lives in lives_s for life_s in lives]
    return load_of(len(flat), took, flat)


async def beside_the_floor(
    stage: Stage, bench: str, life_at: Callable[[Address], Life], *, at_least: float
) -> Outcome:
    """Let 16 workers live on the hub, as ``life_at`` its address, and simply on the floor app."""
    with stage.hub() as hub, stage.floor() as yardstick:
        world, life = await create_world(hub.address, nodes=WORKERS), life_at(hub.address)
        accountless = pretended(WORKERS)

        def on_hub(seconds: float) -> Awaitable[Load]:
            return metered(hub, live(hub.address, world, seconds, life), requests=REQUESTS)

        def on_floor(seconds: float) -> Awaitable[Load]:
            load = live(yardstick.address, accountless, seconds)
            return metered(yardstick, load, requests=REQUESTS)

        rounds, seconds = stage.options.rounds, stage.options.seconds
        pairs = await in_turns(on_hub, on_floor, rounds=rounds, seconds=seconds)
        await profiled(stage, bench, hub, on_hub)
    return compared(bench, stage.kind, pairs, yardstick="floor", thing="job", at_least=at_least)


async def run(stage: Stage) -> Outcome:
    """Compare lives that nobody watches."""
    return await beside_the_floor(stage, "cycle", lambda _: one_job, at_least=TARGET)
