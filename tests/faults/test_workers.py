"""Several workers on one port: they share the work, and one that dies costs nobody anything."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.bench.client import Caller, Refused, dial
from tests.bench.world import World, running_jobs
from tests.faults.crowd import Worker, crowd
from tests.faults.history import History
from tests.faults.stage import Stage, Victim
from tests.servers import PrivateRedis, require

LIMIT_S = 30.0
START_S = 40.0
NODES = 6
JOBS = 4
WATCHERS = 3
AGAIN_S = 0.05
SHOWN = {"acquire", "start", "progress", "finish"}
ROUNDS = [3, pytest.param(40, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]


@pytest.fixture(scope="module")
def redis() -> Iterator[PrivateRedis]:
    require(PrivateRedis)
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def stage(new_database: Callable[[], str], redis: PrivateRedis, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "hub", new_database())
    made.settings |= {"HUB_REDIS_URL": redis.url, "HUB_WORKERS": "2"}
    made.first_limit_s = made.serving_limit_s = START_S
    yield made
    made.clear()


def workers(hub: Victim) -> list[int]:
    """Return the process ids of the workers of ``hub``."""
    return [
        int(pid) for pid in Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
    ]


async def until(is_so: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
    """Wait until something is so, and return how long that took in seconds."""
    began_s = time.monotonic()
    while not is_so():
        assert time.monotonic() - began_s < limit_s
        await asyncio.sleep(0.02)
    return time.monotonic() - began_s


def are_gone(pids: Sequence[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


async def watching(hub: Victim, world: World, job: int, count: int) -> list["asyncio.Task[int]"]:
    """Open so many sockets; each task returns the code that its socket was closed with."""

    async def watch(is_open: asyncio.Event) -> int:
        url = f"{hub.socket_url}/v1/jobs/{job}"
        headers = {"Authorization": f"Bearer {world.token}"}
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            is_open.set()
            await socket.wait_closed()
            return socket.close_code or 0

    opened = [asyncio.Event() for _ in range(count)]
    tasks = [asyncio.create_task(watch(is_open)) for is_open in opened]
    await asyncio.wait_for(asyncio.gather(*(is_open.wait() for is_open in opened)), LIMIT_S)
    return tasks


async def test_a_stop_closes_all_sockets_of_all_workers_in_time(stage: Stage) -> None:
    hub = stage.start()
    world = await stage.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    watchers = await watching(hub, world, job, 40)
    pids = workers(hub)
    assert len(pids) == 2
    began_s = time.monotonic()
    assert await asyncio.to_thread(hub.stop) == 0
    assert time.monotonic() - began_s < 10
    assert are_gone(pids)
    codes = Counter(await asyncio.wait_for(asyncio.gather(*watchers), LIMIT_S))
    assert codes == {1012: 40}
    assert hub.complaints() == []


async def test_ctrl_c_in_a_terminal_and_a_stop_of_everything_are_one_stop(stage: Stage) -> None:
    hub = stage.start()
    for pid in (*workers(hub), hub.pid):  # as a service manager does
        os.kill(pid, signal.SIGTERM)
    assert await asyncio.to_thread(hub.exit_code) == 0
    assert hub.complaints() == []


async def test_workers_end_when_their_supervisor_is_killed(stage: Stage) -> None:
    hub = stage.start()
    pids = workers(hub)
    hub.kill()
    try:
        assert await until(lambda: are_gone(pids)) < 10
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    again = stage.start()
    assert await asyncio.to_thread(again.stop) == 0


async def test_without_redis_they_work_and_say_that_news_come_late(stage: Stage) -> None:
    del stage.settings["HUB_REDIS_URL"]
    hub = stage.start()
    with hub.client() as client:
        told = client.get("/health/ready")
        assert (told.status_code, told.json()["status"]) == (200, "degraded")
        assert "HUB_REDIS_URL" in told.json()["problems"][0]


class Lasting:
    """Something that goes on at the next worker whenever its own is gone, until told to end."""

    def __init__(self) -> None:
        self.over = False
        self.cuts = 0

    async def live(self) -> None:
        """Go on until the end."""
        while not self.over:
            with suppress(ConnectionClosed, InvalidHandshake, Refused, OSError):
                await self.go()
            if not self.over:
                self.cuts += 1
                await asyncio.sleep(AGAIN_S)

    async def go(self) -> None:
        """Go on until cut off, or over."""
        raise NotImplementedError


class Laborer(Lasting):
    """Lives random lives of jobs."""

    def __init__(self, hub: Victim, worker: Worker) -> None:
        super().__init__()
        self._hub = hub
        self._worker = worker

    async def go(self) -> None:
        await self._worker.live(self._hub.listens_at)


class Reporter(Lasting):
    """Reports on one job, and says at the end that it is done."""

    def __init__(self, hub: Victim, world: World, node: int, job: int) -> None:
        super().__init__()
        self._hub = hub
        self._world = world
        self._node = node
        self._job = job
        self.answered = 0

    async def go(self) -> None:
        caller = await dial(self._hub.listens_at, Caller())
        try:
            while not self.over:
                await caller.call(self._world.progress(self._job, self._node, counter=1))
                self.answered += 1
        finally:
            caller.transport.close()

    async def finish(self) -> None:
        """End the job."""
        caller = await dial(self._hub.listens_at, Caller())
        await self._world.finish(caller, self._job, self._node)
        caller.transport.close()


class Watcher(Lasting):
    """Watches one job to its end, and comes back with its cursor."""

    def __init__(self, hub: Victim, token: str, job: int) -> None:
        super().__init__()
        self.job = job
        self.seqs: list[int] = []
        self._url = f"{hub.socket_url}/v1/jobs/{job}"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._cursor = ""

    async def go(self) -> None:
        query = f"?cursor={self._cursor}" if self._cursor else ""
        async with connect(
            self._url + query, additional_headers=self._headers, proxy=None
        ) as socket:
            while not self.over:
                message = json.loads(await socket.recv())
                self._cursor = message["cursor"]
                self.seqs.append(message["seq"])
                self.over = message["transition"] == "finish"


async def end_one(hub: Victim, dice: random.Random) -> None:
    """End a worker, and wait until there is another in its place that may serve for a while."""
    before = workers(hub)
    # Now and then one is only asked to end: that is how it is replaced in peace.
    os.kill(dice.choice(before), dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
    await until(lambda: len(set(workers(hub)) - set(before)) == 1)
    await asyncio.sleep(dice.uniform(0.1, 4.0))


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_workers_that_are_killed_lose_nothing_and_repeat_nothing(
    stage: Stage, rounds: int
) -> None:
    dice, history = random.Random(rounds), History()
    hub = stage.start()
    world = await stage.world(hub, NODES + JOBS)
    others = World(world.token, world.nodes[JOBS:])
    jobs = await running_jobs(hub.listens_at, World(world.token, world.nodes[:JOBS]))
    reporters = [
        Reporter(hub, world, node, job) for node, job in zip(world.nodes, jobs, strict=False)
    ]
    watchers = [Watcher(hub, world.token, job) for job in jobs for _ in range(WATCHERS)]
    laborers = [Laborer(hub, worker) for worker in crowd(others, history, seed=rounds)]
    watched = [asyncio.create_task(one.live()) for one in watchers]
    working = [asyncio.create_task(one.live()) for one in (*reporters, *laborers)]
    await asyncio.sleep(1.0)
    for _ in range(rounds):
        await end_one(hub, dice)
    for one in (*reporters, *laborers):
        one.over = True
    for laborer in working[JOBS:]:
        laborer.cancel()
    await asyncio.wait_for(asyncio.gather(*working, return_exceptions=True), LIMIT_S)
    for reporter in reporters:
        await reporter.finish()
    await asyncio.wait_for(asyncio.gather(*watched), LIMIT_S)

    assert sum(one.cuts for one in watchers) > 0
    assert all(reporter.answered for reporter in reporters)
    events = (await stage.story()).events
    for watcher in watchers:
        told = [e["seq"] for e in events if e["job"] == watcher.job and e["type"] in SHOWN]
        assert watcher.seqs == told[told.index(watcher.seqs[0]) :]
    assert history.against(event for event in events if event["job"] not in jobs) == []
    assert await stage.faults() == []
    assert await asyncio.to_thread(hub.stop) == 0
