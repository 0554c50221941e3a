"""One watcher of two hundred stops reading: what the others feel of it, and what the hub holds."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from statistics import median

from tests.bench.client import Address
from tests.bench.live.followers import Follower, at_job
from tests.bench.posting import Poster
from tests.bench.pounding import percentile
from tests.bench.report import Figure, Target
from tests.bench.stage import Stage
from tests.bench.watchers import Audience, Watcher
from tests.bench.world import create_world, running_jobs

WATCHERS = 200
PER_S = 100.0
LIMIT_S = 30.0
RECEIVE_BUFFER = 4_096
MORE_SHARE_LIMIT = 0.2
KIB_LIMIT = 256.0


@asynccontextmanager
async def _stalled(address: Address, request: bytes) -> AsyncIterator[None]:
    """A watcher that was let in and reads no more, while the block runs."""
    loop = asyncio.get_running_loop()
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        peer.setblocking(False)
        await loop.sock_connect(peer, address)
        await loop.sock_sendall(peer, request)
        await loop.sock_recv(peer, 64)
        yield


async def run(stage: Stage) -> tuple[list[Figure], list[Target]]:
    """Post at a rate with nobody stalled and with one who is, in turns."""
    quiet: list[tuple[float, float]] = []
    stalled: list[tuple[float, float]] = []
    posted = 0
    with ExitStack() as stack:
        hub = stack.enter_context(stage.hub(name="stalling"))
        world = await create_world(hub.address, nodes=1)
        (job,) = await running_jobs(hub.address, world)
        audience = Audience()
        stack.callback(audience.leave)
        watchers: list[Watcher] = [Follower(audience, at_job(world, job)) for _ in range(WATCHERS)]
        await audience.seat(hub.address, watchers)
        poster = Poster(lambda n: world.progress(job, world.nodes[0], counter=n), audience.sent_s)
        await poster.connect(hub.address)
        stack.callback(poster.close)

        async def stretch(seconds: float) -> tuple[float, float]:
            """Return the p99 of the latency in ms, and the KiB that the hub grew by."""
            nonlocal posted
            counters = range(posted, posted + round(PER_S * seconds))
            posted = counters.stop
            del audience.latencies_s[:]
            before_kib = hub.resident_kib()
            await poster.post(counters, per_s=PER_S)
            await audience.everybody_heard(posted, limit_s=LIMIT_S)
            p99_ms = percentile(sorted(audience.latencies_s), 0.99) * 1e3
            return p99_ms, float(hub.resident_kib() - before_kib)

        await stretch(stage.options.seconds)
        for _ in range(stage.options.rounds):
            quiet.append(await stretch(stage.options.seconds))
            async with _stalled(hub.address, at_job(world, job)):
                stalled.append(await stretch(stage.options.seconds))
    # The ring grows in both; the difference is the stalled one's.
    cost_kib = tuple(one[1] - by[1] for one, by in zip(stalled, quiet, strict=True))
    more = tuple(one[0] / by[0] - 1 for one, by in zip(stalled, quiet, strict=True))
    return [
        Figure("nobody stalls: post to frame p99 ms", tuple(one[0] for one in quiet)),
        Figure("one stalls: post to frame p99 ms of the others", tuple(one[0] for one in stalled)),
        Figure("one stalls: more p99, as a share", more),
        Figure("one stalls: the hub grows by KiB more", cost_kib),
    ], [
        Target("one stalls: more p99, median", median(more), "at most", MORE_SHARE_LIMIT),
        Target("one stalls: KiB more, median", median(cost_kib), "at most", KIB_LIMIT),
    ]
