"""Redis dies, hangs, forgets or was never there: two hubs go on, news between them only come later.

Whoever watches does so at one hub, and whoever works does so at the other one.
"""

import asyncio
import os
import signal
import statistics
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from tests.bench.posting import Poster
from tests.bench.sockets import handshake
from tests.bench.watchers import Audience
from tests.bench.world import World, running_jobs
from tests.faults.stage import Stage, Victim
from tests.faults.test_watchers import told_in
from tests.servers import PrivateRedis, require

WATCHERS = 5
PER_S = 20.0
LIMIT_S = 30.0
SOON_S = 0.1
POLL_S = 1.0
BUSY_S = 1.0
"""What a busy machine may add."""


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    require(PrivateRedis)
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def alone(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Stage]:
    """A stage on PostgreSQL, without Redis."""
    made = Stage(tmp_path / "hub", new_database())
    made.serving_limit_s = LIMIT_S  # how soon a hub serves is not what is asked here
    yield made
    made.clear()


@pytest.fixture
def joined(alone: Stage, redis: PrivateRedis) -> Stage:
    """The same with Redis."""
    alone.settings["HUB_REDIS_URL"] = redis.url
    return alone


class Pair:
    """A hub with an audience, and another one with somebody who reports on the job."""

    def __init__(self, stage: Stage, hubs: tuple[Victim, Victim], world: World, job: int) -> None:
        self.stage = stage
        self.hubs = hubs
        self.audience = Audience()
        self.poster = Poster(
            lambda counter: world.progress(job, world.nodes[0], counter=counter),
            self.audience.sent_s,
        )
        self.handshake = handshake(f"/v1/jobs/{job}", world.token)
        self._posted = 0

    async def report(self, count: int, per_s: float = PER_S) -> "array[float]":
        """Let ``count`` more reports be made, and return how long each took to each watcher."""
        seen = len(self.audience.latencies_s)
        counters = range(self._posted, self._posted + count)
        self._posted += count
        await self.poster.post(counters, per_s=per_s)
        await self.audience.everybody_heard(self._posted, limit_s=LIMIT_S)
        return self.audience.latencies_s[seen:]

    async def all_ready(self, status: str) -> None:
        """Wait until both hubs say so; either way they can do their work."""
        deadline_s = time.monotonic() + LIMIT_S
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            for hub in self.hubs:
                while (told := await self._health(client, hub))["status"] != status:
                    assert time.monotonic() < deadline_s, told
                    await asyncio.sleep(0.05)

    async def _health(self, client: httpx.AsyncClient, hub: Victim) -> dict[str, Any]:
        answer = await client.get(f"{hub.url}/health/ready")
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        assert bool(told["problems"]) == (told["status"] == "degraded")
        return told

    async def check(self) -> None:
        """Compare what everybody heard with the log."""
        events = (await self.stage.story()).events
        told = array("l", [told_in(event["data"]) for event in events if event["kind"] == "p"])
        assert sorted(told) == list(range(self._posted))
        assert all(watcher.heard == told for watcher in self.audience.watchers)
        for hub in self.hubs:
            assert await asyncio.to_thread(hub.stop) == 0
            assert hub.complaints("channels") + hub.complaints() == []
        assert await self.stage.faults() == []


@asynccontextmanager
async def pair(stage: Stage) -> AsyncIterator[Pair]:
    first, second = stage.start(), stage.start()
    world = await stage.world(first, 1)
    (job,) = await running_jobs(first.listens_at, world)
    made = Pair(stage, (first, second), world, job)
    await made.poster.connect(first.listens_at)
    await made.audience.join(second.listens_at, made.handshake, WATCHERS)
    try:
        yield made
    finally:
        made.audience.leave()
        made.poster.close()


# How Redis can fail; each leaves it as good as new.


async def die_and_come_back_empty(on: Pair, redis: PrivateRedis) -> None:
    await asyncio.to_thread(redis.kill9)
    await on.all_ready("degraded")
    await asyncio.to_thread(redis.restart)


async def cut_all_subscriptions(on: Pair, redis: PrivateRedis) -> None:
    async with Redis.from_url(redis.url) as admin:
        for _ in range(3):
            assert await admin.client_kill_filter(_type="pubsub") > 0
            await asyncio.sleep(0.3)


async def pause_all_clients(on: Pair, redis: PrivateRedis) -> None:
    async with Redis.from_url(redis.url) as admin:
        await admin.client_pause(4_000)
    await on.all_ready("degraded")


async def freeze(on: Pair, redis: PrivateRedis) -> None:
    os.kill(redis.pid, signal.SIGSTOP)
    await on.all_ready("degraded")
    os.kill(redis.pid, signal.SIGCONT)


Fail = Callable[[Pair, PrivateRedis], Awaitable[None]]


async def reported_during(on: Pair, failing: Awaitable[None]) -> "array[float]":
    """Let reports be made from before a failure until after it."""
    latencies_s = array("d")
    failed = asyncio.ensure_future(failing)
    while not failed.done():
        latencies_s += await on.report(int(PER_S))
    await failed
    await on.all_ready("ok")
    return latencies_s


async def test_no_failure_of_redis_loses_news_or_holds_them_up_beyond_the_poll(
    joined: Stage, redis: PrivateRedis
) -> None:
    failures: list[Fail] = [cut_all_subscriptions, pause_all_clients, freeze]
    async with pair(joined) as on:
        await on.all_ready("ok")
        for fail in (*failures, die_and_come_back_empty):
            latencies_s = await reported_during(on, fail(on, redis))
            assert max(latencies_s) < POLL_S + BUSY_S, fail.__name__
            after_s = await on.report(int(PER_S))
            assert statistics.median(after_s) < SOON_S, fail.__name__
        await on.check()


async def test_a_redis_that_comes_later_is_waited_for(joined: Stage, redis: PrivateRedis) -> None:
    await asyncio.to_thread(redis.kill9)
    async with pair(joined) as on:
        await on.all_ready("degraded")
        # Four looks a second: late, but not as late as with one.
        assert statistics.median(await on.report(40)) < 0.4 * POLL_S
        await asyncio.to_thread(redis.restart)
        await on.all_ready("ok")
        assert statistics.median(await on.report(40)) < SOON_S
        await on.check()


async def test_news_come_with_the_doorbell_and_not_with_the_poll(joined: Stage) -> None:
    async with pair(joined) as on:
        await on.all_ready("ok")
        assert statistics.median(await on.report(100)) < SOON_S
        await on.check()


async def test_without_a_doorbell_the_same_measurement_shows_the_poll(alone: Stage) -> None:
    async with pair(alone) as on:
        await on.all_ready("degraded")
        assert statistics.median(await on.report(100)) > SOON_S
        await on.check()
