"""The plain job socket over a bad network: who comes back by its cursor misses and repeats nothing.

What every watcher saw is recorded and checked against the log.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.bench.client import Address, Caller, dial
from tests.bench.posting import Poster
from tests.bench.world import World, running_jobs
from tests.faults.chaos_proxy import ChaosProxy, Way
from tests.faults.stage import Stage, Victim
from tests.hubcheck.history import Answered, Asked, Client, History, Recorder
from tests.hubcheck.oracle import read_oracle
from tests.hubcheck.properties import violations
from tests.hubcheck.recorders import PlainRecorder, Until

LIMIT_S = 60.0
SIDE_BY_SIDE = 8
LAST = 9_999


class Scene:
    """A hub, a running job, and watchers of it that the network can be torn from."""

    def __init__(self, stage: Stage, hub: Victim, world: World, job: int) -> None:
        self.stage = stage
        self.hub = hub
        self.world = world
        self.job = job
        self.watchers: list[PlainRecorder] = []

    def report(self, counter: int) -> bytes:
        return self.world.request(
            "POST",
            f"/jobs/{self.job}/progress/0.5",
            node=self.world.nodes[0],
            body={"counter": counter},
        )

    async def post(self, counters: range, *, per_s: float) -> None:
        """Post reports past all proxies, on connections that were not idle before."""
        poster = Poster(self.report, {})
        await poster.connect(self.hub.listens_at)
        try:
            await poster.post(counters, per_s=per_s)
        finally:
            poster.close()

    def watcher(self, address: Address, cursor: str | None = None) -> PlainRecorder:
        """Return a new watcher, behind a cursor if there is one."""
        made = PlainRecorder(
            f"ws://{address[0]}:{address[1]}",
            self.job,
            f"w{len(self.watchers)}",
            headers={"Authorization": f"Bearer {self.world.token}"},
            limit_s=2.0,
        )
        if cursor is not None:
            made.stored[f"job {self.job}"] = cursor
        self.watchers.append(made)
        return made

    async def finish(self) -> None:
        """Let the node finish the job."""
        caller = await dial(self.hub.listens_at, Caller())
        await self.world.finish(caller, self.job, self.world.nodes[0])
        caller.transport.close()

    async def beginning(self) -> str:
        """Return the cursor from before all events."""
        epoch = (await self.stage.story()).clock["epoch"]
        return f"v1:{epoch}:0"

    async def found(self, *others: History) -> list[str]:
        """Return everything that is wrong with what was seen."""
        oracle = await read_oracle(self.stage.database_url)
        histories = [*(watcher.history for watcher in self.watchers), *others]
        return [str(one) for one in violations(histories, oracle)]


@asynccontextmanager
async def scene(stage: Stage, limit_s: float = LIMIT_S) -> AsyncIterator[Scene]:
    """A scene on a hub of its own, which has nothing to complain of in the end."""
    hub = stage.start()
    world = await stage.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    made = Scene(stage, hub, world, job)
    async with asyncio.timeout(limit_s):
        yield made
    assert hub.complaints() == []


def counters(watcher: PlainRecorder) -> list[int]:
    """Return the counters of the reports that a watcher heard."""
    said = (message["transition_data"].get("counter") for message in watcher.messages)
    return [counter for counter in said if counter is not None]


def is_last(message: dict[str, Any]) -> bool:
    return bool(message["transition_data"].get("counter") == LAST)


def is_finish(message: dict[str, Any]) -> bool:
    return bool(message["transition"] == "finish")


# --- Cut at every byte ----------------------------------------------------------------------------


async def conversation(on: Scene, cursor: str) -> tuple[dict[Way, int], list[int]]:
    """Return how many bytes a whole watch takes each way, and the numbers that it tells."""
    async with ChaosProxy(on.hub.listens_at).running() as proxy:
        watcher = on.watcher(proxy.address, cursor)
        sizes: dict[Way, int] = {}

        def until(message: dict[str, Any]) -> bool:
            # The link is still there in the last message.
            sizes.update({way: proxy.passed(way) for way in Way})
            return is_finish(message)

        assert await watcher.watch_once(until)
        return sizes, [message["seq"] for message in watcher.messages]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", Way)
async def test_a_watch_that_is_cut_after_any_byte_goes_on_where_it_was(
    stage: Stage, way: Way
) -> None:
    async with scene(stage, limit_s=240) as on:
        await on.post(range(1, 2), per_s=1_000)
        await on.finish()
        cursor = await on.beginning()
        sizes, whole = await conversation(on, cursor)
        assert len(whole) == 4  # acquire, start, progress, finish
        places = iter(range(sizes[way] + 1))
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(cut_at(on, way, places, cursor))

        for watcher in on.watchers:
            assert [message["seq"] for message in watcher.messages] == whole
        # All but the whole one, and the one that was cut behind its last byte, came twice.
        assert [watcher.connections for watcher in on.watchers].count(1) <= 3
        assert len(on.watchers) == sizes[way] + 2
        assert await on.found() == []


async def cut_at(on: Scene, way: Way, places: Iterable[int], cursor: str) -> None:
    """Watch with a cut at each of these places, and then without."""
    async with ChaosProxy(on.hub.listens_at).running() as proxy:
        for place in places:
            watcher = on.watcher(proxy.address, cursor)
            proxy.cut_after[way] = place
            is_done = await watcher.watch_once(is_finish)
            proxy.cut_after[way] = None
            if not is_done:
                await watcher.watch(is_finish)


async def test_a_watch_that_comes_byte_by_byte_is_the_same(stage: Stage) -> None:
    async with scene(stage) as on, ChaosProxy(on.hub.listens_at).running() as proxy:
        await on.post(range(1, 20), per_s=1_000)
        await on.finish()
        cursor = await on.beginning()
        _, whole = await conversation(on, cursor)

        proxy.split = True
        watcher = on.watcher(proxy.address, cursor)
        await watcher.watch(is_finish)

        assert [message["seq"] for message in watcher.messages] == whole
        assert watcher.connections == 1
        assert await on.found() == []


# --- Torn while it happens ------------------------------------------------------------------------


@asynccontextmanager
async def watched(on: Scene, proxy: ChaosProxy, count: int = 3) -> AsyncIterator[None]:
    """Watchers that were told of report 0, and in the end hear the last one."""
    watchers = [on.watcher(proxy.address) for _ in range(count)]
    ready = [asyncio.Event() for _ in watchers]

    def until(number: int) -> Until:
        def told(message: dict[str, Any]) -> bool:
            if message["transition_data"].get("counter") == 0:
                ready[number].set()
            return is_last(message)

        return told

    async with asyncio.TaskGroup() as group:
        for number, watcher in enumerate(watchers):
            group.create_task(watcher.watch(until(number)))
        while any(not watcher.messages for watcher in watchers):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        await on.post(range(1), per_s=1_000)
        await asyncio.gather(*(event.wait() for event in ready))
        yield
        await on.post(range(LAST, LAST + 1), per_s=1_000)


async def told_in_log(on: Scene) -> list[int]:
    """Return the counters in the order of the log."""
    oracle = await read_oracle(on.stage.database_url)
    return [event.data["counter"] for event in oracle.events if event.is_progress]


async def everybody_heard_all(on: Scene) -> None:
    told = await told_in_log(on)
    assert [counters(watcher) for watcher in on.watchers] == [told] * len(on.watchers)
    assert await on.found() == []


async def test_watchers_that_are_reset_again_and_again_miss_nothing(stage: Stage) -> None:
    async with scene(stage) as on, ChaosProxy(on.hub.listens_at).running() as proxy:
        async with watched(on, proxy):
            for turn in range(10):
                posting = on.post(range(1 + 50 * turn, 51 + 50 * turn), per_s=2_000)
                async with asyncio.TaskGroup() as group:
                    group.create_task(posting)
                    group.create_task(reset_at(proxy, 2_000 * (turn % 5)))

        assert all(watcher.connections > 3 for watcher in on.watchers)
        await everybody_heard_all(on)


async def reset_at(proxy: ChaosProxy, passed: int) -> None:
    """Reset all links once so many bytes more have come down, or soon in any case."""
    before = proxy.passed(Way.DOWN)
    for _ in range(50):
        if proxy.passed(Way.DOWN) - before >= passed and proxy.links:
            break
        await asyncio.sleep(0.005)
    proxy.reset()


async def test_a_stall_is_no_loss_and_no_end(stage: Stage) -> None:
    async with scene(stage) as on, ChaosProxy(on.hub.listens_at).running() as proxy:
        async with watched(on, proxy):
            for ways in ((Way.DOWN,), (Way.UP,), (Way.UP, Way.DOWN)):
                proxy.stall(*ways)
                first = 1 + max(await told_in_log(on))
                await on.post(range(first, first + 200), per_s=5_000)
                proxy.flow()

        assert [watcher.connections for watcher in on.watchers] == [1] * 3
        await everybody_heard_all(on)


async def test_what_was_on_its_way_when_a_stalled_link_was_reset_comes_again(
    stage: Stage,
) -> None:
    async with scene(stage) as on, ChaosProxy(on.hub.listens_at).running() as proxy:
        async with watched(on, proxy):
            proxy.stall(Way.DOWN)
            await on.post(range(1, 300), per_s=5_000)
            # Nobody answers those who come back at first.
            proxy.is_half_open = True
            taken = proxy.taken
            proxy.reset()
            while proxy.taken < taken + 3:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
            proxy.is_half_open = False
            proxy.flow()

        assert all(watcher.connections >= 3 for watcher in on.watchers)
        await everybody_heard_all(on)


class Reporter:
    """Reports over a network that swallows requests and answers; it writes down what it knows."""

    def __init__(self, on: Scene, proxy: ChaosProxy) -> None:
        self._on = on
        self._proxy = proxy
        self._recorder = Recorder()
        self._recorder.write(Client(at=self._recorder.now(), client="reporter", face="plain"))
        self.lost = 0

    @property
    def history(self) -> History:
        return self._recorder.history

    async def report(self, numbers: Iterable[int], chance: random.Random) -> None:
        """Report each number once, whatever becomes of it."""
        host, port = self._proxy.address
        world = self._on.world
        headers = {
            "Authorization": f"Bearer {world.token}",
            "Node-Id": str(world.nodes[0]),
        }
        path = f"http://{host}:{port}/v1/jobs/{self._on.job}/progress/0.5"
        for number in numbers:
            way = chance.choice([*Way])
            self._proxy.cut_after = dict.fromkeys(Way)
            self._proxy.cut_after[way] = chance.choice([None, chance.randint(0, 700)])
            change = ("progress", self._on.job, number)
            self._recorder.write(Asked(at=self._recorder.now(), change=change))
            try:
                async with httpx.AsyncClient(
                    trust_env=False, verify=False, headers=headers
                ) as http:
                    answer = await http.post(path, json={"counter": number})
            except httpx.TransportError:
                self.lost += 1
                continue
            assert answer.status_code == 200, answer.text
            self._recorder.write(Answered(at=self._recorder.now(), change=change))


@pytest.mark.parametrize("seed", range(2))
async def test_through_everything_at_once_nothing_is_lost_or_doubled(
    stage: Stage, seed: int
) -> None:
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(scene(stage))
        address = on.hub.listens_at
        to_watch, to_report = [
            await stack.enter_async_context(ChaosProxy(address).running()) for _ in range(2)
        ]
        reporter = Reporter(on, to_report)
        async with watched(on, to_watch):
            async with asyncio.TaskGroup() as group:
                reporting = group.create_task(reporter.report(range(1, 60), chance))
                while not reporting.done():
                    await misbehave(to_watch, chance)
            calm(to_watch)
            if not to_watch.links:
                to_watch.reset()
        for watcher in on.watchers:
            watcher.quiet(5.0)

        assert reporter.lost > 0
        assert any(watcher.connections > 1 for watcher in on.watchers)
        assert await on.found(reporter.history) == []
        await everybody_heard_all(on)


async def misbehave(proxy: ChaosProxy, chance: random.Random) -> None:
    """Do one of the things that networks do, for a moment."""
    calm(proxy)
    match chance.randrange(6):
        case 0:
            proxy.reset()
        case 1:
            proxy.cut()
        case 2:
            proxy.stall(*chance.sample([*Way], chance.randint(1, 2)))
        case 3:
            proxy.split = True
        case 4:
            proxy.delay_s = 0.01
        case _:
            proxy.cut_after[Way.DOWN] = chance.randint(0, 3_000)
    await asyncio.sleep(chance.random() * 0.1)


def calm(proxy: ChaosProxy) -> None:
    """Let all pass as it comes."""
    proxy.flow()
    proxy.split, proxy.delay_s = False, 0.0
    proxy.cut_after = dict.fromkeys(Way)
