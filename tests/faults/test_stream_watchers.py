"""``hub.v1`` under load: who stalls or is slow costs the others nothing, and misses nothing."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests import frame_schemas
from tests.bench import frames
from tests.bench.client import Caller, dial
from tests.bench.live.followers import Follower, at_job, at_stream
from tests.bench.posting import Poster
from tests.bench.watchers import Audience
from tests.bench.world import World, running_jobs
from tests.chain import Chain
from tests.faults.stage import Stage, Victim
from tests.faults.test_watchers import p99_s, stalled

LIMIT_S = 60.0
STALLED = 20
STALLED_KIB = 256
"""What one that does not read may cost: a frame, the transport's buffer, and its own objects."""

RUN = 20
"""Reports on one job before it is the turn of the next."""

EVENT_KIB = 4
"""What an event in memory may cost, with all that is encoded of it."""


class Show:
    """Running jobs, somebody who reports on them in turns, and an audience in ``hub.v1``."""

    def __init__(self, stage: Stage, hub: Victim, world: World, jobs: tuple[int, ...]) -> None:
        self.stage = stage
        self.hub = hub
        self.world = world
        self.jobs = jobs
        self.audience = Audience(look=lambda text: frame_schemas.told(text, frame_schemas.JOB_LIVE))
        self.poster = Poster(self.report, self.audience.sent_s)

    def report(self, counter: int) -> bytes:
        place = counter // RUN % len(self.jobs)
        return self.world.progress(self.jobs[place], self.world.nodes[place], counter=counter)

    async def join(self, count: int) -> None:
        """Let so many more watch the first job."""
        request = at_job(self.world, self.jobs[0])
        watchers = [Follower(self.audience, request) for _ in range(count)]
        await self.audience.seat(self.hub.listens_at, watchers)

    def resident_kib(self) -> int:
        """Return the resident memory of the hub."""
        with open(f"/proc/{self.hub.pid}/status") as status:
            return int(status.read().partition("VmRSS:")[2].split()[0])


@asynccontextmanager
async def show(stage: Stage, jobs: int = 1) -> AsyncIterator[Show]:
    """A show on a hub of its own."""
    hub = stage.start()
    world = await stage.world(hub, jobs)
    made = Show(stage, hub, world, await running_jobs(hub.listens_at, world))
    await made.poster.connect(hub.listens_at)
    try:
        yield made
    finally:
        made.audience.leave()
        made.poster.close()


@asynccontextmanager
async def stalls(on: Show) -> AsyncIterator[None]:
    """Some that followed the first job and stopped to read, while the block runs."""
    request = at_job(on.world, on.jobs[0])
    peers = [await stalled(on.hub.listens_at, request) for _ in range(STALLED)]
    try:
        yield
    finally:
        for peer in peers:
            peer.close()


async def test_who_stops_reading_costs_little_and_holds_up_neither_the_others_nor_the_end(
    stage: Stage,
) -> None:
    async with show(stage) as on:
        await on.join(50)
        await on.poster.post(range(100), per_s=50)
        await on.audience.everybody_heard(100, limit_s=LIMIT_S)
        before_s, before_kib = p99_s(on.audience.latencies_s), on.resident_kib()
        async with stalls(on):
            await on.poster.post(range(100, 1_100), per_s=100_000)
            await on.audience.everybody_heard(1_100, limit_s=LIMIT_S)
            grown_kib = on.resident_kib() - before_kib
            assert grown_kib < STALLED * STALLED_KIB + 1_000 * EVENT_KIB
            seen = len(on.audience.latencies_s)
            await on.poster.post(range(1_100, 1_200), per_s=50)
            await on.audience.everybody_heard(1_200, limit_s=LIMIT_S)
            # A factor of the quiet time, and what a busy machine adds.
            assert p99_s(on.audience.latencies_s[seen:]) < 3 * before_s + 0.05
            on.audience.leave()
            began_s = time.monotonic()
            assert await asyncio.to_thread(on.hub.stop) == 0
            assert time.monotonic() - began_s < 12
    assert on.hub.complaints() == []


@pytest.mark.nightly
@pytest.mark.timeout(300)
async def test_who_stops_reading_is_cut_off_in_half_a_minute(stage: Stage) -> None:
    async with show(stage) as on:
        await on.join(10)
        sockets = on.hub.sockets()
        async with stalls(on):
            assert on.hub.sockets() >= sockets + STALLED
            began_s = time.monotonic()
            await on.poster.post(range(1_000), per_s=100_000)
            await on.audience.everybody_heard(1_000, limit_s=LIMIT_S)
            while on.hub.sockets() > sockets:
                assert time.monotonic() - began_s < 30
                await asyncio.sleep(0.5)
            assert time.monotonic() - began_s > 10
    assert on.hub.complaints() == []


# --- A reader that is slow ------------------------------------------------------------------------


class Slow:
    """A client that takes so many bytes a second, and notes how old what it takes is."""

    def __init__(self, peer: socket.socket, rate: int, sent_s: dict[int, float]) -> None:
        self.events: list[dict[str, Any]] = []
        self.ages_s: list[float] = []
        self._chain = Chain(is_whole=True)
        self._peer = peer
        self._rate = rate
        self._sent_s = sent_s
        self._rest = b""

    async def read_until(self, is_over: Callable[[dict[str, Any]], bool]) -> None:
        """Read slowly until an event that ends the story."""
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(self._peer, self._rate // 10)
            assert data, "the hub hung up"
            events = list(self._events_in(data))
            if any(map(is_over, events)):
                return
            await asyncio.sleep(len(data) / self._rate)

    def _events_in(self, data: bytes) -> Iterator[dict[str, Any]]:
        arrived, self._rest = frames.split(self._rest + data)
        for frame in arrived:
            if frame.opcode != frames.TEXT:
                continue
            message = frame_schemas.told(frame.payload, frame_schemas.STREAM)
            self._chain.follow(message)
            for event in message.get("events", ()):
                self.events.append(event)
                if event["type"] == "job.progress":
                    sent_s = self._sent_s[event["data"]["counter"]]
                    self.ages_s.append(time.perf_counter() - sent_s)
                yield event


@asynccontextmanager
async def slow(on: Show, rate: int, **wish: object) -> AsyncIterator[Slow]:
    """A slow client with one subscription."""
    loop = asyncio.get_running_loop()
    peer = socket.socket()
    try:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        peer.setblocking(False)
        await loop.sock_connect(peer, on.hub.listens_at)
        await loop.sock_sendall(peer, at_stream(on.world))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await loop.sock_recv(peer, 1)
        said = json.dumps({"op": "subscribe", "id": "s", **wish}).encode()
        await loop.sock_sendall(peer, frames.masked(frames.TEXT, said))
        yield Slow(peer, rate, on.audience.sent_s)
    finally:
        peer.close()


@pytest.mark.timeout(240)
async def test_a_slow_reader_misses_no_transition_and_gets_no_old_news(stage: Stage) -> None:
    async with show(stage) as on:
        (job,), (node,) = on.jobs, on.world.nodes
        caller = await dial(on.hub.listens_at, Caller())
        async with slow(on, 2_000, topic="job", jobs=[job], progress="latest") as reader:
            reading = asyncio.create_task(
                reader.read_until(lambda event: event["transition"] == "finish")
            )
            last = 0
            for number in range(4):  # a transition now and then, among the reports
                first, last = last, last + 800
                await on.poster.post(range(first, last), per_s=200)
                said = {"description": f"part {number}"}
                await caller.call(on.world.request("PATCH", f"/jobs/{job}", body=said))
            await on.poster.post(range(last, last + 1), per_s=200)
            await on.world.finish(caller, job, node)
            await asyncio.wait_for(reading, 30)
        told = [event["transition"] for event in reader.events if event["type"] != "job.progress"]
        assert told == ["update"] * 4 + ["finish"]
        counters = [
            event["data"]["counter"] for event in reader.events if event["type"] == "job.progress"
        ]
        assert counters == sorted(set(counters))
        assert counters[-1] == last
        assert len(counters) < last / 4
        assert max(reader.ages_s) < 5.0
        caller.transport.close()
    assert on.hub.complaints() == []


# --- The newest of many ---------------------------------------------------------------------------

JOBS = 100


class Newest(Follower):
    """A follower that takes every message apart, and checks that nothing is missing."""

    def __init__(self, audience: Audience, request: bytes, **wish: object) -> None:
        super().__init__(audience, request, **wish)
        self.chain = Chain(is_whole=True)
        self.newest: dict[int, int] = {}
        self.told = self.skipped = 0
        self._news = asyncio.Event()

    async def heard_all(self, last: dict[int, int]) -> None:
        """Wait until the newest report of every job has come."""
        async with asyncio.timeout(LIMIT_S):
            while self.newest != last:
                self._news.clear()
                await self._news.wait()

    def hear(self, texts: Sequence[bytes]) -> None:
        super().hear(texts)
        for text in texts:
            message = frame_schemas.told(text, frame_schemas.STREAM)
            self.chain.follow(message)
            for event in message.get("events", ()):
                self.told += 1
                self.skipped += event["skip"]
                self.newest[event["job"]] = event["data"]["counter"]
        self._news.set()


async def test_of_a_hundred_busy_jobs_the_newest_is_told_and_the_rest_is_counted(
    stage: Stage,
) -> None:
    async with show(stage, JOBS) as on:
        followers: list[Newest] = []
        for _ in range(2):
            alone = Audience()  # what two of one audience hear is taken apart once only
            alone.sent_s = on.audience.sent_s
            wish = {"topic": "job", "jobs": list(on.jobs), "progress": "latest"}
            followers.append(Newest(alone, at_stream(on.world), **wish))
            await alone.seat(on.hub.listens_at, followers[-1:])
        reports = 5_000
        await on.poster.post(range(reports), per_s=100_000)
        events = (await on.stage.story()).events
        last = {e["job"]: json.loads(e["data"])["counter"] for e in events if e["kind"] == "p"}
        for follower in followers:
            await follower.heard_all(last)
            assert follower.told + follower.skipped == reports
            assert follower.told < reports
            follower.transport.close()
    assert on.hub.complaints() == []
