"""What it costs to tell a thousand: deliveries for one second of the server's processor time.

In lock-step: the next report, or the next ten at once, are posted when everybody has heard the
last. So nothing waits in between, and a report alone is a frame alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from statistics import median
from time import perf_counter

from msgspec.structs import replace

from tests.bench.live.followers import Follower, at_job
from tests.bench.live.rooms import listening, room_poster
from tests.bench.posting import Poster
from tests.bench.processes import Server
from tests.bench.recording import record
from tests.bench.report import Figure, Target
from tests.bench.sockets import handshake
from tests.bench.stage import Stage
from tests.bench.watchers import Audience, Watcher
from tests.bench.world import World, create_world, running_jobs

WATCHERS = 1_000
DELIVERY_LIMIT_S = 60.0
WARM_UP = 20

Post = Callable[[range], Awaitable[object]]
"""Post reports with these counters, all at once, and return when all are answered."""


class Hall:
    """A thousand who watch one job on one server, and somebody who reports on it."""

    def __init__(self, server: Server, audience: Audience, post: Post) -> None:
        self.server = server
        self._audience = audience
        self._post = post
        self._posted = 0

    async def step(self, reports: int) -> None:
        """Post so many at once, and return when everybody has heard them."""
        counters = range(self._posted, self._posted + reports)
        self._posted = counters.stop
        now = perf_counter()
        self._audience.sent_s |= dict.fromkeys(counters, now)
        await self._post(counters)
        await self._audience.everybody_heard(self._posted, limit_s=DELIVERY_LIMIT_S)
        del self._audience.latencies_s[:]

    async def measure(self, reports: int, seconds: float) -> tuple[float, float]:
        """Return the deliveries for one CPU-second of the server, and the reports in a frame."""
        began, texts, cpu_s = self._posted, self._audience.texts, self.server.cpu_s()
        until = perf_counter() + seconds
        while perf_counter() < until:
            await self.step(reports)
        delivered = (self._posted - began) * WATCHERS
        used_s = self.server.cpu_s() - cpu_s
        return delivered / used_s, delivered / (self._audience.texts - texts)


Seat = Callable[[Audience, int], Watcher]
"""Make a watcher of a job."""


def plain(world: World) -> Seat:
    """Return how to watch a job in UFDL's plain messages."""
    return lambda by, job: Watcher(by, handshake(f"/v1/jobs/{job}", world.token))


def hub_v1(world: World) -> Seat:
    """Return how to watch a job in ``hub.v1``."""
    return lambda by, job: Follower(by, at_job(world, job))


async def _seated(stack: AsyncExitStack, server: Server, seat: Seat, job: int) -> Audience:
    audience = Audience()
    stack.callback(audience.leave)
    await audience.seat(server.address, [seat(audience, job) for _ in range(WATCHERS)])
    return audience


async def library_hall(stack: AsyncExitStack, server: Server) -> Hall:
    """Return the hall of the yardstick."""
    audience = await _seated(stack, server, lambda by, room: Watcher(by, listening(room)), 1)
    poster = await room_poster(server.address)

    async def post(counters: range) -> None:
        await asyncio.gather(*(poster.post(1, counter) for counter in counters))

    return Hall(server, audience, post)


async def hub_hall(stack: AsyncExitStack, hub: Server, world: World, seat: Seat) -> Hall:
    """Return a hall on the hub; the only node of ``world`` reports on the only job."""
    (job,) = await running_jobs(hub.address, world)
    audience = await _seated(stack, hub, seat, job)
    poster = Poster(
        lambda counter: world.progress(job, world.nodes[0], counter=counter), audience.sent_s
    )
    await poster.connect(hub.address)
    stack.callback(poster.close)
    return Hall(hub, audience, lambda counters: poster.post(counters, per_s=float("inf")))


BROADCAST = "websockets broadcast()"
PLAIN, PLAIN_TENS = "plain", "plain, ten at once"
HUB_V1, HUB_V1_TENS = "hub.v1", "hub.v1, ten at once"
AT_LEAST = {PLAIN: 1.0, PLAIN_TENS: 4.0, HUB_V1: 0.6, HUB_V1_TENS: 6.0}
"""Deliveries for a CPU-second, by those of the yardstick."""


async def run(stage: Stage) -> tuple[list[Figure], list[Target]]:
    """Compare the hub's sockets with the yardstick, in turns."""
    async with AsyncExitStack() as stack:
        library = stack.enter_context(stage.broadcaster())
        hub = stack.enter_context(stage.hub(name="delivering"))
        world = await create_world(hub.address, nodes=2)
        first, second = (replace(world, nodes=(node,)) for node in world.nodes)
        in_plain = await hub_hall(stack, hub, first, plain(world))
        in_hub_v1 = await hub_hall(stack, hub, second, hub_v1(world))
        turns = {
            BROADCAST: (await library_hall(stack, library), 1),
            PLAIN: (in_plain, 1),
            PLAIN_TENS: (in_plain, 10),
            HUB_V1: (in_hub_v1, 1),
            HUB_V1_TENS: (in_hub_v1, 10),
        }
        found = await _in_turns(stage, turns)
        if stage.options.profile:
            for name, (hall, reports) in turns.items():
                await _profiled(stage, name, hall, reports)
    return _figures(found)


Found = dict[str, list[tuple[float, float]]]
"""For each kind, the rounds: deliveries for a CPU-second, and reports in a frame."""


async def _in_turns(stage: Stage, turns: dict[str, tuple[Hall, int]]) -> Found:
    for hall, reports in turns.values():
        for _ in range(WARM_UP):
            await hall.step(reports)
    found: Found = {name: [] for name in turns}
    for _ in range(stage.options.rounds):
        for name, (hall, reports) in turns.items():
            found[name].append(await hall.measure(reports, stage.options.seconds))
    return found


async def _profiled(stage: Stage, name: str, hall: Hall, reports: int) -> None:
    seconds, folder = stage.options.seconds, stage.options.profile
    assert folder is not None
    into = folder / f"live-{name.replace(' ', '-').replace(',', '')}-{stage.kind}.txt"
    await record(hall.server, hall.measure(reports, seconds + 1), seconds, into)


def _figures(found: Found) -> tuple[list[Figure], list[Target]]:
    figures: list[Figure] = []
    targets: list[Target] = []
    yardstick = [rate for rate, _ in found[BROADCAST]]
    for name, rounds in found.items():
        figures.append(
            Figure(f"{name}: deliveries for a CPU-second", tuple(rate for rate, _ in rounds))
        )
        if name in AT_LEAST:
            ratios = tuple(rate / by for (rate, _), by in zip(rounds, yardstick, strict=True))
            figures.append(Figure(f"{name}: reports in a frame", tuple(each for _, each in rounds)))
            figures.append(Figure(f"{name} / {BROADCAST}", ratios))
            label = f"{name} / {BROADCAST}, median"
            targets.append(Target(label, median(ratios), "at least", AT_LEAST[name]))
    return figures, targets
