"""One job, a thousand watchers: does everybody hear everything in order, and how soon?"""

import time
from collections.abc import Sequence

import msgspec

from tests.bench.client import Refused
from tests.bench.posting import Poster, Stretch
from tests.bench.pounding import percentile
from tests.bench.processes import Server
from tests.bench.report import Figure, Outcome, Target
from tests.bench.sockets import handshake
from tests.bench.stage import Stage
from tests.bench.watchers import Audience
from tests.bench.world import World, create_world, running_jobs

WATCHERS = 1_000
LIVE_PER_S, LIVE_SHARE = 25.0, 5.0
BURST_PER_S, BURST_SHARE = 100.0, 2.5
"""A share times the ``seconds`` of the options (4) is the length of the stretch: 20 s and 10 s."""

DELIVERY_LIMIT_S = 60.0
RESIDENT_KIB_LIMIT = 60.0
LIVE_P99_MS_LIMIT = 100.0


class Heard(msgspec.Struct, frozen=True):
    """One stretch: latencies from the writing of a post to its frame at a watcher, all watchers."""

    p50_ms: float
    p99_ms: float
    answer_p50_ms: float
    posted_in_s: float
    last_frame_after_ms: float
    server_cpu: float
    client_cpu: float

    def figures(self, name: str) -> tuple[Figure, ...]:
        """Return the lines of the table."""
        return (
            Figure(f"{name}: post to frame p50 ms", (self.p50_ms,)),
            Figure(f"{name}: post to frame p99 ms", (self.p99_ms,)),
            Figure(f"{name}: post to answer p50 ms", (self.answer_p50_ms,)),
            Figure(f"{name}: posted in s", (self.posted_in_s,)),
            Figure(f"{name}: last frame after last answer ms", (self.last_frame_after_ms,)),
            Figure(f"{name}: server cores", (self.server_cpu,)),
            Figure(f"{name}: client cores", (self.client_cpu,)),
        )


class Broadcast:
    """A poster and an audience on one server; counters go up from 0 over all stretches."""

    def __init__(self, server: Server, poster: Poster, audience: Audience) -> None:
        self._server = server
        self._poster = poster
        self._audience = audience
        self._posted = 0
        self.answered_s: dict[int, float] = {}

    async def stretch(self, *, per_s: float, seconds: float) -> Heard:
        """Post at a rate, wait until everybody has heard it all, and look at the clock."""
        counters = range(self._posted, self._posted + round(per_s * seconds))
        self._posted = counters.stop
        del self._audience.latencies_s[:]
        server_s, client_s = self._server.cpu_s(), time.process_time()
        posted = await self._poster.post(counters, per_s=per_s)
        await self._audience.everybody_heard(self._posted, limit_s=DELIVERY_LIMIT_S)
        self.answered_s |= posted.answered_s
        took_s = self._audience.last_heard_s - posted.began_s
        return self._heard(
            posted,
            server_cpu=(self._server.cpu_s() - server_s) / took_s,
            client_cpu=(time.process_time() - client_s) / took_s,
        )

    def _heard(self, posted: Stretch, *, server_cpu: float, client_cpu: float) -> Heard:
        sent_s = self._audience.sent_s
        latencies = sorted(self._audience.latencies_s)
        answers = sorted(at - sent_s[counter] for counter, at in posted.answered_s.items())
        return Heard(
            p50_ms=percentile(latencies, 0.50) * 1e3,
            p99_ms=percentile(latencies, 0.99) * 1e3,
            answer_p50_ms=percentile(answers, 0.50) * 1e3,
            posted_in_s=posted.ended_s - posted.began_s,
            last_frame_after_ms=(self._audience.last_heard_s - posted.ended_s) * 1e3,
            server_cpu=server_cpu,
            client_cpu=client_cpu,
        )

    def check(self) -> None:
        """See that all watchers heard one story, complete and in a possible order.

        Raises:
            Refused: the first thing that is wrong.
        """
        story, *others = (watcher.heard for watcher in self._audience.watchers)
        if sorted(story) != list(range(self._posted)):
            raise Refused(f"a watcher heard {len(story)} messages of {self._posted}, or some twice")
        if any(other != story for other in others):
            raise Refused("two watchers heard different stories")
        if not is_possible_order(story, self._audience.sent_s, self.answered_s):
            raise Refused("a message came before one that had been answered before it was posted")


def is_possible_order(
    story: Sequence[int], sent_s: dict[int, float], answered_s: dict[int, float]
) -> bool:
    """Say whether nothing stands behind a message that was sent after its own answer.

    Posts that overlapped may commit in any order; others may not.
    """
    latest_s = 0.0
    for counter in story:
        if answered_s[counter] < latest_s:
            return False
        latest_s = max(latest_s, sent_s[counter])
    return True


async def broadcast(server: Server, world: World, job: int, seconds: float) -> tuple[Figure, ...]:
    """Run both stretches; return the lines of the table, the memory of a watcher first."""
    audience = Audience()
    poster = Poster(
        lambda counter: world.progress(job, world.nodes[0], counter=counter), audience.sent_s
    )
    try:
        before_kib = server.resident_kib()
        await audience.join(server.address, _socket_request(world, job), WATCHERS)
        each_kib = (server.resident_kib() - before_kib) / WATCHERS
        await poster.connect(server.address)
        event = Broadcast(server, poster, audience)
        live = await event.stretch(per_s=LIVE_PER_S, seconds=LIVE_SHARE * seconds)
        burst = await event.stretch(per_s=BURST_PER_S, seconds=BURST_SHARE * seconds)
        event.check()
    finally:
        audience.leave()
        poster.close()
    memory = Figure("resident KiB per idle watcher", (each_kib,))
    return (memory, *live.figures("live"), *burst.figures("burst"))


def _socket_request(world: World, job: int) -> bytes:
    return handshake(f"/v1/jobs/{job}", world.token)


async def run(stage: Stage) -> Outcome:
    """Let a thousand watch a job on the hub."""
    with stage.hub() as hub:
        world = await create_world(hub.address, nodes=1)
        (job,) = await running_jobs(hub.address, world)
        figures = await broadcast(hub, world, job, stage.options.seconds)
    found = {figure.label: figure.values[0] for figure in figures}
    limits = {
        "resident KiB per idle watcher": RESIDENT_KIB_LIMIT,
        "live: post to frame p99 ms": LIVE_P99_MS_LIMIT,
    }
    targets = tuple(Target(name, found[name], "at most", limit) for name, limit in limits.items())
    return Outcome("fanout", stage.kind, figures, targets)
