"""A thousand who come at once: how fast they are let in, and what an idle one holds.

Each is signed in, subscribes, and has the snapshot of a job. The yardstick only shakes hands.
"""

import asyncio
from time import perf_counter

from tests.bench.live.followers import Follower, at_stream
from tests.bench.live.rooms import listening
from tests.bench.processes import Server
from tests.bench.report import Figure, Target
from tests.bench.stage import Stage
from tests.bench.watchers import Audience, Watcher
from tests.bench.world import create_world, running_jobs

WATCHERS = 1_000
JOBS = 50
IDLE_KIB_LIMIT = 40.0
PER_S_LIMIT = 800.0
SETTLE_S = 1.0
"""Time for the server to see that everybody left: a wait between two rounds, not a condition."""


async def _arrive(server: Server, audience: Audience, watchers: list[Watcher]) -> float:
    """Return how many came in a second, to the end of the snapshot of the last."""
    began_s = perf_counter()
    await audience.seat(server.address, watchers)
    return len(watchers) / (perf_counter() - began_s)


async def run(stage: Stage) -> tuple[list[Figure], list[Target]]:
    """Let a thousand come and go, on the hub and at the yardstick in turns."""
    rates: list[float] = []
    yardstick: list[float] = []
    costs: list[float] = []
    each_kib = 0.0
    with stage.hub(name="arriving") as hub, stage.broadcaster() as library:
        world = await create_world(hub.address, nodes=JOBS)
        jobs = await running_jobs(hub.address, world)

        def followers(count: int) -> tuple[Audience, list[Watcher]]:
            audience = Audience()
            return audience, [
                Follower(
                    audience, at_stream(world), topic="job", jobs=[jobs[n % JOBS]], progress="all"
                )
                for n in range(count)
            ]

        await _round(hub, *followers(JOBS))  # what only the first ones cost
        for number in range(stage.options.rounds):
            resident_kib, cpu_s = hub.resident_kib(), hub.cpu_s()
            audience, watchers = followers(WATCHERS)
            rates.append(await _arrive(hub, audience, watchers))
            costs.append((hub.cpu_s() - cpu_s) * 1e3 / WATCHERS)
            if not number:
                each_kib = (hub.resident_kib() - resident_kib) / WATCHERS
            audience.leave()
            await asyncio.sleep(SETTLE_S)
            guests = Audience()
            listeners = [Watcher(guests, listening(1)) for _ in range(WATCHERS)]
            yardstick.append(await _round(library, guests, listeners))
    figures = [
        Figure("idle hub.v1 connection KiB", (each_kib,)),
        Figure("arrivals with a snapshot /s", tuple(rates)),
        Figure("arrivals: server CPU ms each", tuple(costs)),
        Figure("handshakes of websockets /s", tuple(yardstick)),
        Figure(
            "arrivals / handshakes of websockets",
            tuple(one / by for one, by in zip(rates, yardstick, strict=True)),
        ),
    ]
    return figures, [
        Target("idle hub.v1 connection KiB", each_kib, "at most", IDLE_KIB_LIMIT),
        Target("arrivals with a snapshot /s, best round", max(rates), "at least", PER_S_LIMIT),
    ]


async def _round(server: Server, audience: Audience, watchers: list[Watcher]) -> float:
    rate = await _arrive(server, audience, watchers)
    audience.leave()
    await asyncio.sleep(SETTLE_S)
    return rate
