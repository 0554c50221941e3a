"""Crowds of watchers: each hears everything in order, whoever stalls, joins late or comes back."""

import asyncio
import json
import socket
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests import frame_schemas
from tests.bench.client import Address
from tests.bench.posting import Poster
from tests.bench.sockets import handshake
from tests.bench.watchers import Audience
from tests.bench.world import World, running_jobs
from tests.faults.stage import Stage, Victim

PER_S = 25.0
LIVE = range(100)
BURST = range(100, 1_100)
LAST = 10_000
LIMIT_S = 60.0
CROWDS = [200, pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(600)])]


class Show:
    """A running job, somebody who reports on it, and its audience."""

    def __init__(self, stage: Stage, hub: Victim, world: World, job: int) -> None:
        self.stage = stage
        self.hub = hub
        self.world = world
        self.job = job
        self.audience = Audience(look=frame_schemas.told)
        self.poster = Poster(self.report, self.audience.sent_s)

    def report(self, counter: int) -> bytes:
        return self.world.progress(self.job, self.world.nodes[0], counter=counter)

    def handshake(self, query: str = "") -> bytes:
        """Return the request of a watcher."""
        return handshake(f"/v1/jobs/{self.job}{query}", self.world.token)

    async def join(self, count: int, query: str = "") -> None:
        """Let so many more watch."""
        await self.audience.join(self.hub.listens_at, self.handshake(query), count)

    async def told(self) -> "array[int]":
        """Return the counters of the reports in the log, in its order."""
        events = (await self.stage.story()).events
        return array("l", [told_in(event["data"]) for event in events if event["kind"] == "p"])


def told_in(data: str) -> int:
    counter: int = json.loads(data)["counter"]
    return counter


@asynccontextmanager
async def show(stage: Stage) -> AsyncIterator[Show]:
    """A show on a hub of its own."""
    hub = stage.start()
    world = await stage.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    made = Show(stage, hub, world, job)
    await made.poster.connect(hub.listens_at)
    try:
        yield made
    finally:
        made.audience.leave()
        made.poster.close()


@pytest.mark.parametrize("count", CROWDS)
async def test_everybody_hears_every_report_in_order(stage: Stage, count: int) -> None:
    async with show(stage) as on:
        await on.join(count)
        await on.poster.post(LIVE, per_s=PER_S)
        await on.audience.everybody_heard(len(LIVE), limit_s=LIMIT_S)
        await on.poster.post(BURST, per_s=100_000)
        await on.audience.everybody_heard(len(LIVE) + len(BURST), limit_s=LIMIT_S)
        told = await on.told()
        assert sorted(told) == [*LIVE, *BURST]
        assert all(watcher.heard == told for watcher in on.audience.watchers)


async def test_who_joins_late_hears_all_that_came_after_its_cursor(embedded: Stage) -> None:
    async with show(embedded) as on:
        await on.poster.post(range(300), per_s=100_000)
        epoch = (await embedded.story()).clock["epoch"]
        # From the very beginning, while more is coming.
        joining = asyncio.create_task(on.join(20, f"?cursor=v1:{epoch}:0"))
        await on.poster.post(range(300, 600), per_s=2_000)
        await joining
        await on.audience.everybody_heard(600, limit_s=LIMIT_S)
        told = await on.told()
        assert all(watcher.heard == told for watcher in on.audience.watchers)


# A watcher that stops reading


async def stalled(address: Address, request: bytes) -> socket.socket:
    """Return the socket of a watcher that was let in and reads no more."""
    loop = asyncio.get_running_loop()
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    peer.setblocking(False)
    await loop.sock_connect(peer, address)
    await loop.sock_sendall(peer, request)
    assert b" 101 " in await loop.sock_recv(peer, 1_024)
    return peer


@asynccontextmanager
async def stalls(on: Show, count: int) -> AsyncIterator[None]:
    """So many watchers that do not read while the block runs."""
    peers = [await stalled(on.hub.listens_at, on.handshake()) for _ in range(count)]
    try:
        yield
    finally:
        for peer in peers:
            peer.close()


def p99_s(latencies_s: Sequence[float]) -> float:
    return sorted(latencies_s)[int(len(latencies_s) * 0.99)]


async def test_watchers_that_stop_reading_hold_up_neither_the_others_nor_the_end(
    embedded: Stage,
) -> None:
    async with show(embedded) as on:
        await on.join(50)
        async with stalls(on, 20):
            await on.poster.post(BURST, per_s=100_000)
            await on.audience.everybody_heard(len(BURST), limit_s=LIMIT_S)
            told = await on.told()
            assert all(watcher.heard == told for watcher in on.audience.watchers)
            on.audience.leave()
            began_s = time.monotonic()
            assert await asyncio.to_thread(on.hub.stop) == 0
            assert time.monotonic() - began_s < 10
    assert on.hub.complaints() == []


@pytest.mark.nightly
@pytest.mark.timeout(300)
async def test_watchers_that_stop_reading_are_closed_in_half_a_minute(embedded: Stage) -> None:
    async with show(embedded) as on:
        await on.join(100)
        await on.poster.post(range(200), per_s=50)
        await on.audience.everybody_heard(200, limit_s=LIMIT_S)
        before_s = p99_s(on.audience.latencies_s)
        sockets = on.hub.sockets()
        async with stalls(on, 50):
            await on.poster.post(range(200, 1_200), per_s=100_000)
            await on.audience.everybody_heard(1_200, limit_s=LIMIT_S)
            began_s = time.monotonic()
            seen = len(on.audience.latencies_s)
            await on.poster.post(range(1_200, 1_400), per_s=50)
            await on.audience.everybody_heard(1_400, limit_s=LIMIT_S)
            # A factor of the quiet time, and what a busy machine adds.
            assert p99_s(on.audience.latencies_s[seen:]) < 3 * before_s + 0.05
            assert on.hub.sockets() > sockets
            while on.hub.sockets() > sockets:
                assert time.monotonic() - began_s < 30
                await asyncio.sleep(0.5)


# A watcher that comes back


class Faithful:
    """A watcher that comes back with its cursor whenever it is cut off."""

    def __init__(self, on: Show) -> None:
        self._on = on
        self._cursor = ""
        self.heard: list[int] = []
        self.seqs: list[int] = []
        self.cuts = 0

    async def watch(self, until: int) -> None:
        """Listen until the report numbered ``until`` has come."""
        while until not in self.heard[-1:]:
            try:
                await self._listen(until)
            except (ConnectionClosed, InvalidHandshake, OSError):
                self.cuts += 1
                await asyncio.sleep(0.05)

    async def _listen(self, until: int) -> None:
        query = f"?cursor={self._cursor}" if self._cursor else ""
        async with connect(
            f"{self._on.hub.socket_url}/v1/jobs/{self._on.job}{query}",
            additional_headers={"Authorization": f"Bearer {self._on.world.token}"},
            proxy=None,
        ) as connection:
            while until not in self.heard[-1:]:
                message = frame_schemas.told(await connection.recv())
                self._cursor = message["cursor"]
                self.seqs.append(message["seq"])
                if counter := message["transition_data"].get("counter"):
                    self.heard.append(counter)


async def cut_off(on: Show, end: str) -> None:
    """End the hub while reports come in, and some of them are never answered."""
    posting = asyncio.create_task(on.poster.post(range(1, LAST), per_s=1_000))
    done, _ = await asyncio.wait([posting], timeout=0.7)
    assert not done
    await asyncio.to_thread(on.hub.kill if end == "kill" else on.hub.stop)
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(posting, LIMIT_S)


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_watcher_that_comes_back_to_a_new_hub_misses_and_repeats_nothing(
    stage: Stage, end: str
) -> None:
    async with show(stage) as on:
        faithful = [Faithful(on) for _ in range(5)]
        watching = [asyncio.create_task(one.watch(until=LAST)) for one in faithful]
        await cut_off(on, end)
        on.hub = stage.start()
        back = Poster(on.report, on.audience.sent_s)
        await back.connect(on.hub.listens_at)
        await back.post(range(LAST + 1, LAST + 500), per_s=1_000)
        await back.post(range(LAST, LAST + 1), per_s=1_000)
        await asyncio.wait_for(asyncio.gather(*watching), LIMIT_S)
        back.close()
        told = list(await on.told())
        for one in faithful:
            assert one.cuts > 0
            assert one.heard == told[told.index(one.heard[0]) :]
            assert one.seqs == list(range(one.seqs[0], one.seqs[-1] + 1))
