"""A client that was away: ten thousand events behind its cursor, out of memory and out of the log.

Beside it the same events are read page by page over HTTP.
"""

from contextlib import ExitStack
from time import perf_counter

import msgspec

from tests.bench.client import Caller, dial
from tests.bench.live.followers import Follower, at_stream
from tests.bench.posting import Poster
from tests.bench.processes import Server
from tests.bench.report import Figure, Target
from tests.bench.stage import Stage
from tests.bench.watchers import Audience
from tests.bench.world import World, create_world, running_jobs

EVENTS = 10_000
JOBS = 10
PAGE = 1_000
LIMIT_S = 60.0
RESUME_S_LIMIT = 1.0


class _Page(msgspec.Struct):
    cursor: str
    items: list[msgspec.Raw]


async def _place(server: Server, world: World) -> str:
    """Return the cursor of now."""
    follower = Follower(Audience(), at_stream(world), topic="jobs", snapshot="never")
    await dial(server.address, follower)
    await follower.begun
    follower.leave()
    return follower.place


async def _resumed_s(server: Server, world: World, cursor: str) -> float:
    """Return the seconds from connecting to the last of the events."""
    audience = Audience()
    now = perf_counter()
    audience.sent_s = dict.fromkeys(range(EVENTS), now)
    follower = Follower(audience, at_stream(world), topic="jobs", progress="all", cursor=cursor)
    await audience.seat(server.address, [follower])
    await audience.everybody_heard(EVENTS, limit_s=LIMIT_S)
    audience.leave()
    return audience.last_heard_s - now


async def _paged_s(server: Server, world: World, cursor: str) -> float:
    """Return the seconds in which the same events are read page by page."""
    caller = await dial(server.address, Caller())
    began_s, read = perf_counter(), 0
    while read < EVENTS:
        answer = await caller.call(world.request("GET", f"/events?after={cursor}&limit={PAGE}"))
        page = msgspec.json.decode(answer, type=_Page)
        cursor, read = page.cursor, read + len(page.items)
    caller.transport.close()
    return perf_counter() - began_s


async def run(stage: Stage) -> tuple[list[Figure], list[Target]]:
    """Resume from memory; then again after a restart, when nothing is in memory."""
    url = stage.new_url()
    rounds = range(stage.options.rounds)
    with ExitStack() as stack:
        hub = stack.enter_context(stage.hub(url, "resuming"))
        world = await create_world(hub.address, nodes=JOBS)
        jobs = await running_jobs(hub.address, world)
        cursor = await _place(hub, world)
        poster = Poster(
            lambda n: world.progress(jobs[n % JOBS], world.nodes[n % JOBS], counter=n), {}
        )
        await poster.connect(hub.address)
        stack.callback(poster.close)
        await poster.post(range(EVENTS), per_s=float("inf"))
        memory = tuple([await _resumed_s(hub, world, cursor) for _ in rounds])
    with stage.hub(url, "resuming") as hub:
        log, pages = [], []
        for _ in rounds:
            log.append(await _resumed_s(hub, world, cursor))
            pages.append(await _paged_s(hub, world, cursor))
    ratios = tuple(one / by for one, by in zip(log, pages, strict=True))
    return [
        Figure("resume of 10,000 events from memory, s", memory),
        Figure("resume of 10,000 events from the log, s", tuple(log)),
        Figure("the same page by page over HTTP, s", tuple(pages)),
        Figure("resume from the log / pages over HTTP", ratios),
    ], [
        Target("resume from memory s, best round", min(memory), "at most", RESUME_S_LIMIT),
        Target("resume from the log s, best round", min(log), "at most", RESUME_S_LIMIT),
    ]
