"""The poll of a worker: some jobs wait among a thousand times as many that are finished."""

from collections.abc import Awaitable

import msgspec

from tests.bench.client import Address, Caller, Refused, dial
from tests.bench.metering import metered
from tests.bench.pounding import Load, pound
from tests.bench.recording import profiled
from tests.bench.report import Outcome, Target, load_figures
from tests.bench.seed import DATABASE_FILE, seed_postgres, seed_sqlite
from tests.bench.stage import Stage
from tests.bench.world import World, create_world

FINISHED_PER_QUEUED = 1_000
LIMITS_MS = {100_000: 15.0}
LIMIT_MS = 20.0
"""What a poll may take among the jobs of `LIMITS_MS`, and among any other number."""

_CONDITIONS = [
    {"field": "start_time", "type": "isnull"},
    {"field": "error_reason", "type": "isnull"},
    {"field": "node", "type": "isnull"},
    {"field": "template.workabletemplate", "type": "isnull", "invert": True},
]
POLL = {"expressions": [{"type": "and", "sub_expressions": _CONDITIONS}]}
"""What existing workers send at every poll."""


async def _finish_one(address: Address, world: World) -> int:
    caller = await dial(address, Caller())
    try:
        job = await world.create_job(caller)
        await world.begin(caller, job, world.nodes[0])
        await world.finish(caller, job, world.nodes[0])
    finally:
        caller.transport.close()
    return job


async def _queue(address: Address, world: World, jobs: int) -> None:
    caller = await dial(address, Caller())
    try:
        for _ in range(jobs):
            await world.create_job(caller)
        offered = len(msgspec.json.decode(await caller.call(_poll(world))))
    finally:
        caller.transport.close()
    if offered != jobs:
        raise Refused(f"the poll offers {offered} jobs, {jobs} are queued")


def _poll(world: World) -> bytes:
    return world.request("POST", "/jobs/list", node=world.nodes[0], body=POLL)


async def _seeded_load(stage: Stage) -> list[Load]:
    url, options = stage.new_url(), stage.options
    with stage.hub(url) as hub:
        world = await create_world(hub.address, nodes=1)
        job = await _finish_one(hub.address, world)
    if url:
        await seed_postgres(url, job, options.jobs - 1)
    else:
        seed_sqlite(stage.scratch / "hub" / DATABASE_FILE, job, options.jobs - 1)
    with stage.hub(url) as hub:
        await _queue(hub.address, world, options.jobs // FINISHED_PER_QUEUED)

        def on_hub(seconds: float) -> Awaitable[Load]:
            return metered(hub, pound(hub.address, [_poll(world)], seconds))

        loads = [await on_hub(options.seconds) for _ in range(options.rounds)]
        await profiled(stage, "list", hub, on_hub)
    return loads


async def run(stage: Stage) -> Outcome:
    """Poll on one connection, one call after the other."""
    loads = await _seeded_load(stage)
    slowest_ms = sorted(load.p50_ms for load in loads)[len(loads) // 2]
    limit_ms = LIMITS_MS.get(stage.options.jobs, LIMIT_MS)
    return Outcome(
        "list",
        stage.kind,
        load_figures("hub", "poll", loads),
        (Target("poll p50 ms, median of rounds", slowest_ms, "at most", limit_ms),),
    )
