"""Durable, authenticated progress reports, against a handler that only decodes the body."""

from tests.bench import bare
from tests.bench.client import encode
from tests.bench.pounding import pound
from tests.bench.recording import record
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
        pairs = await in_turns(
            lambda seconds: pound(hub.address, requests, seconds),
            lambda seconds: pound(yardstick.address, same_bodies, seconds),
            rounds=options.rounds,
            seconds=options.seconds,
        )
        if options.profile:
            load = pound(hub.address, requests, options.seconds + 1)
            into = options.profile / f"progress-{stage.kind}.txt"
            await record(hub, load, options.seconds, into)
    return compared(
        "progress",
        stage.kind,
        pairs,
        yardstick="bare",
        thing="request",
        at_least=TARGETS[stage.kind],
    )
