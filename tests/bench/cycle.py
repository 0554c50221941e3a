"""The life of a job in seven requests, against the least durable app that could serve them."""

import asyncio
from array import array
from time import perf_counter

from tests.bench.client import Address, Caller, dial
from tests.bench.pounding import Load, load_of
from tests.bench.recording import record
from tests.bench.report import Outcome, compared
from tests.bench.rounds import in_turns
from tests.bench.stage import Stage
from tests.bench.world import World, create_world, pretended

WORKERS = 16
PROGRESS_VALUES = (0.25, 0.5, 0.75)
REQUESTS = 4 + len(PROGRESS_VALUES)
TARGET = 0.50


async def _one_job(caller: Caller, world: World, node: int) -> None:
    job = await world.create_job(caller)
    await world.begin(caller, job, node)
    for number, value in enumerate(PROGRESS_VALUES):
        await caller.call(world.progress(job, node, value=value, counter=number))
    await world.finish(caller, job, node)


async def _work(caller: Caller, world: World, node: int, ends: float) -> "array[float]":
    lives_s = array("d")
    while (began := perf_counter()) < ends:
        await _one_job(caller, world, node)
        lives_s.append(perf_counter() - began)
    return lives_s


async def live(address: Address, world: World, seconds: float) -> Load:
    """Let each node of ``world`` do one job after another for ``seconds``; a latency is a job's.

    A job that was begun in time is completed and counts, over the time that all took together.
    """
    callers = [await dial(address, Caller()) for _ in world.nodes]
    began = perf_counter()
    try:
        lives_s = await asyncio.gather(
            *(
                _work(caller, world, node, began + seconds)
                for caller, node in zip(callers, world.nodes, strict=True)
            )
        )
        took = perf_counter() - began
    finally:
        for caller in callers:
            caller.transport.close()
    flat = [life for lives in lives_s for life in lives]
    return load_of(len(flat), took, flat)


async def run(stage: Stage) -> Outcome:
    """Let 16 workers live on the hub and on the floor app."""
    options = stage.options
    with stage.hub() as hub, stage.floor() as yardstick:
        world = await create_world(hub.address, nodes=WORKERS)
        accountless = pretended(WORKERS)
        pairs = await in_turns(
            lambda seconds: live(hub.address, world, seconds),
            lambda seconds: live(yardstick.address, accountless, seconds),
            rounds=options.rounds,
            seconds=options.seconds,
        )
        if options.profile:
            load = live(hub.address, world, options.seconds + 1)
            await record(hub, load, options.seconds, options.profile / f"cycle-{stage.kind}.txt")
    return compared("cycle", stage.kind, pairs, yardstick="floor", thing="job", at_least=TARGET)
