"""From a post to its watchers: five hundred of them, over a hundred jobs, 200 posts a second."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from time import perf_counter

from tests.bench.live.followers import Follower, at_stream
from tests.bench.live.rooms import listening, room_poster
from tests.bench.posting import Poster
from tests.bench.pounding import percentile
from tests.bench.report import Figure, Target
from tests.bench.stage import Stage
from tests.bench.watchers import Audience, Watcher
from tests.bench.world import create_world, running_jobs

JOBS, WATCHERS_EACH = 100, 5
PER_S = 200.0
DELIVERY_LIMIT_S = 30.0
P50_MS_LIMIT, P99_MS_LIMIT = 5.0, 25.0

Post = Callable[[range], Awaitable[object]]
"""Post reports with these counters at the rate; counter ``n`` is of job ``n % JOBS``."""


class Posts:
    """One server's audience and who posts to it."""

    def __init__(self, audience: Audience, post: Post) -> None:
        self._audience = audience
        self._post = post
        self._posted = 0

    async def stretch(self, seconds: float) -> tuple[float, float]:
        """Return the milliseconds from the writing of a post to its frame, p50 and p99."""
        del self._audience.latencies_s[:]
        counters = range(self._posted, self._posted + round(PER_S * seconds))
        self._posted = counters.stop
        await self._post(counters)
        await self._audience.all_heard(self._posted * WATCHERS_EACH, limit_s=DELIVERY_LIMIT_S)
        ordered = sorted(self._audience.latencies_s)
        return percentile(ordered, 0.5) * 1e3, percentile(ordered, 0.99) * 1e3


async def run(stage: Stage) -> tuple[list[Figure], list[Target]]:
    """Compare the hub with the yardstick, in turns."""
    with ExitStack() as stack:
        hub = stack.enter_context(stage.hub(name="hearing"))
        library = stack.enter_context(stage.broadcaster())
        world = await create_world(hub.address, nodes=JOBS)
        jobs = await running_jobs(hub.address, world)

        ours = Audience()
        stack.callback(ours.leave)
        watchers: list[Watcher] = [
            Follower(ours, at_stream(world), topic="job", jobs=[job], progress="all")
            for job in jobs
            for _ in range(WATCHERS_EACH)
        ]
        await ours.seat(hub.address, watchers)
        poster = Poster(
            lambda n: world.progress(jobs[n % JOBS], world.nodes[n % JOBS], counter=n), ours.sent_s
        )
        await poster.connect(hub.address)
        stack.callback(poster.close)

        theirs = Audience()
        stack.callback(theirs.leave)
        listeners = [
            Watcher(theirs, listening(room)) for room in range(JOBS) for _ in range(WATCHERS_EACH)
        ]
        await theirs.seat(library.address, listeners)
        room = await room_poster(library.address)

        async def post_to_rooms(counters: range) -> None:
            began_s = perf_counter()
            for position, counter in enumerate(counters):
                await asyncio.sleep(began_s + position / PER_S - perf_counter())
                theirs.sent_s[counter] = perf_counter()
                await room.post(counter % JOBS, counter)

        turns = {
            "hub.v1": Posts(ours, lambda counters: poster.post(counters, per_s=PER_S)),
            "websockets": Posts(theirs, post_to_rooms),
        }
        for posts in turns.values():
            await posts.stretch(1.0)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in turns}
        for _ in range(stage.options.rounds):
            for name, posts in turns.items():
                found[name].append(await posts.stretch(stage.options.seconds))
    return _figures(found)


def _figures(
    found: dict[str, list[tuple[float, float]]],
) -> tuple[list[Figure], list[Target]]:
    figures = []
    for which, label in enumerate(("p50", "p99")):
        each = {name: tuple(one[which] for one in rounds) for name, rounds in found.items()}
        for name, values in each.items():
            figures.append(Figure(f"{name}: post to frame {label} ms", values))
        ratios = tuple(one / by for one, by in zip(each["hub.v1"], each["websockets"], strict=True))
        figures.append(Figure(f"post to frame {label}, hub.v1 / websockets", ratios))
    best = min(found["hub.v1"], key=lambda one: one[1])
    return figures, [
        Target("hub.v1: post to frame p50 ms, best round", best[0], "at most", P50_MS_LIMIT),
        Target("hub.v1: post to frame p99 ms, best round", best[1], "at most", P99_MS_LIMIT),
    ]
