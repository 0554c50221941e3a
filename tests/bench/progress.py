"""Durable, authenticated progress reports, against a handler that only decodes the body."""

from collections.abc import Awaitable

from tests.bench import bare
from tests.bench.client import encode
from tests.bench.metering import metered
from tests.bench.pounding import Load, pound
from tests.bench.recording import profiled
from tests.bench.report import Outcome, compared
from tests.bench.rounds import in_turns
from tests.bench.stage import Stage
from tests.bench.world import create_world, progress_body, running_jobs

CONNECTIONS = 64
TARGETS = {"sqlite": 0.45, "postgres": 0.30}


async def run(stage: Stage) -> Outcome:
    """Report on 64 running jobs, each by its own node on its own connection."""
    options = stage.options
    with stage.hub() as hub, stage.bare() as yardstick:
        world = await create_world(hub.address, nodes=CONNECTIONS)
        jobs = await running_jobs(hub.address, world)
        requests = [world.progress(*pair) for pair in zip(jobs, world.nodes, strict=True)]
        same_bodies = [encode("POST", bare.PATH, body=progress_body(0)) for _ in requests]

        def on_hub(seconds: float) -> Awaitable[Load]:
            return metered(hub, pound(hub.address, requests, seconds))

        def on_bare(seconds: float) -> Awaitable[Load]:
            return metered(yardstick, pound(yardstick.address, same_bodies, seconds))

        pairs = await in_turns(on_hub, on_bare, rounds=options.rounds, seconds=options.seconds)
        await profiled(stage, "progress", hub, on_hub)
    return compared(
        "progress",
        stage.kind,
        pairs,
        yardstick="bare",
        thing="request",
        at_least=TARGETS[stage.kind],
    )
