"""Workers are killed and frozen, and so is the hub: who is silent loses its job, and nobody else.

A node is lost here after twelve seconds of silence, and doubted after one.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests import frame_schemas
from tests.bench.client import Caller, dial
from tests.bench.world import FINISH, START, World
from tests.conformance.hub_process import PROJECT
from tests.faults.stage import Stage, Victim
from tests.servers import PrivatePostgres, require

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(300)]

LOST_S = 12
LIMIT_S = 60.0
PAUSE_S = 0.1
LOOKS = 600
FROZEN_S = 15.0
"""Longer than the silence that loses a job."""

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HOUR_S = 3_600


class Scene:
    """A hub, what was registered there, and a job."""

    def __init__(self, stage: Stage, hub: Victim, world: World, job: int) -> None:
        self.stage = stage
        self.hub = hub
        self.world = world
        self.job = job

    async def call(self, node: int, method: str, what: str, body: object = None) -> int:
        """Make a call about the job as the node with this index, and return its status."""
        path = f"/v1/jobs/{self.job}/{what}"
        headers = {"Authorization": f"Bearer {self.world.token}"}
        headers["Node-Id"] = str(self.world.nodes[node])
        async with httpx.AsyncClient(base_url=self.hub.url, trust_env=False, timeout=20) as client:
            return (await client.request(method, path, json=body, headers=headers)).status_code

    async def take(self, node: int) -> None:
        assert await self.call(node, "GET", "acquire") == 200
        assert await self.call(node, "POST", "start", START) == 200

    async def report(self, node: int) -> int:
        return await self.call(node, "POST", "progress/0.5", {"by": node})

    async def story(self) -> list[str]:
        """Return what happened to the job, reports left out."""
        events = (await self.stage.story()).events
        kinds = [event["type"] for event in events if event["job"] == self.job]
        return [kind for kind in kinds if kind != "progress"]

    async def happened(self, kind: str) -> None:
        """Wait until that is the last thing that happened to the job, reports left out."""
        for _ in range(LOOKS):
            if (await self.story())[-1] == kind:
                return
            await asyncio.sleep(PAUSE_S)
        pytest.fail(f"no {kind}: {await self.story()}")

    async def said(self, words: str) -> None:
        """Wait until the hub says something."""
        for _ in range(LOOKS):
            if words in self.hub.last_words():
                return
            await asyncio.sleep(PAUSE_S)
        pytest.fail(f"the hub did not say {words!r}: {self.hub.last_words()}")

    @contextmanager
    def worker(self, node: int) -> Iterator["subprocess.Popen[str]"]:
        """A process that works on the job as the node with this index."""
        told = (self.hub.url, self.world.token, str(self.world.nodes[node]), str(self.job))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.lone_worker", *told],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


async def at_work(process: "subprocess.Popen[str]") -> None:
    """Wait until a worker has reported a few times."""
    assert process.stdout is not None
    for _ in range(5):
        line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), LIMIT_S)
        assert line.startswith("200"), line


@asynccontextmanager
async def scene(stage: Stage, *, is_calm: bool = True) -> AsyncIterator[Scene]:
    """A hub with two nodes and a job; in the end all that is stored must fit together.

    Args:
        stage: Where.
        is_calm: Whether the hub has no reason to log why something failed.
    """
    stage.settings["HUB_LOST_AFTER_S"] = str(LOST_S)
    stage.serving_limit_s = LIMIT_S  # how fast it starts is no matter here
    hub = stage.start()
    world = await stage.world(hub, 2)
    caller = await dial(hub.listens_at, Caller())
    job = await world.create_job(caller)
    caller.transport.close()
    made = Scene(stage, hub, world, job)
    yield made
    assert not (is_calm and made.hub.complaints())
    assert await stage.faults() == []


# --- The worker -----------------------------------------------------------------------------------


async def heard(on: Scene, told: list[str]) -> None:
    """Watch the job on the plain socket until its end."""
    headers = {"Authorization": f"Bearer {on.world.token}"}
    async with connect(f"{on.hub.socket_url}/v1/jobs/{on.job}", additional_headers=headers) as peer:
        async for message in peer:
            kind: str = frame_schemas.told(message)["transition"]
            told += [kind] if told[-1:] != [kind] else []
            if kind == "finish":
                return


async def test_the_job_of_a_killed_worker_is_done_by_another(stage: Stage) -> None:
    async with scene(stage) as on:
        told: list[str] = []
        watching = asyncio.create_task(heard(on, told))
        with on.worker(0) as process:
            await at_work(process)
            process.kill()
        await on.happened("lost")
        await on.take(1)
        assert await on.report(1) == 200
        # The worker comes back from the dead and knows of nothing.
        before = await on.story()
        assert await on.report(0) == 403
        assert await on.call(0, "POST", "outputs/log/t", {"late": True}) == 403
        assert await on.call(0, "POST", "finish", FINISH) == 200
        assert await on.story() == before
        assert await on.call(1, "POST", "finish", FINISH) == 200
        await asyncio.wait_for(watching, LIMIT_S)
        # Of doubts the plain socket says nothing; a loss looks like an abort.
        steps = [kind for kind in told if kind != "progress"]
        assert steps == ["acquire", "start", "abort", "acquire", "start", "finish"]
        assert (await on.story()).count("suspect") == 1


async def test_a_worker_that_was_frozen_goes_on_when_nobody_took_its_job(stage: Stage) -> None:
    async with scene(stage) as on:
        with on.worker(0) as process:
            await at_work(process)
            process.send_signal(signal.SIGSTOP)
            await on.happened("lost")
            process.send_signal(signal.SIGCONT)
            await on.happened("revived")
            await at_work(process)
        assert await on.call(0, "POST", "finish", FINISH) == 200
        assert (await on.story())[-3:] == ["lost", "revived", "finish"]


async def test_a_worker_that_reports_is_never_doubted_however_long_it_works(stage: Stage) -> None:
    async with scene(stage) as on:
        with on.worker(0) as process:
            # As many reports as fit into more than the silence that would lose the job.
            for _ in range(30):
                await at_work(process)
        assert (await on.story())[:3] == ["create", "acquire", "start"]
        assert "lost" not in await on.story()


# --- The hub --------------------------------------------------------------------------------------


def frozen(on: Scene) -> Callable[[], None]:
    """Stop the hub's process; what is returned lets it go on."""
    os.kill(on.hub.pid, signal.SIGSTOP)
    return lambda: os.kill(on.hub.pid, signal.SIGCONT)


def killed(on: Scene) -> Callable[[], None]:
    """Kill the hub; what is returned starts it again."""
    on.hub.kill()

    def again() -> None:
        on.hub = on.stage.start()

    return again


@pytest.mark.parametrize("hurt", [frozen, killed])
async def test_while_the_hub_hears_nobody_nobody_is_lost(
    stage: Stage, hurt: Callable[[Scene], Callable[[], None]]
) -> None:
    async with scene(stage) as on:
        await on.take(0)
        await on.happened("suspect")
        heal = hurt(on)
        await asyncio.sleep(FROZEN_S)  # what is injected is this time
        heal()
        await on.said("leases moved")
        assert await on.report(0) == 200
        assert await on.call(0, "POST", "finish", FINISH) == 200
        assert (await on.story())[-2:] == ["revived", "finish"]
        assert "lost" not in await on.story()


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    """A server that is killed and started again, and forgets nothing."""
    require(PrivatePostgres)
    with PrivatePostgres() as server:
        yield server


async def test_while_the_database_is_away_nobody_is_lost(
    server: PrivatePostgres, tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "hub", server.create_database("away"))
    try:
        async with scene(stage, is_calm=False) as on:
            await on.take(0)
            await on.happened("suspect")
            await asyncio.to_thread(server.kill9)
            await asyncio.sleep(FROZEN_S)  # what is injected is this time
            await asyncio.to_thread(server.restart)
            await on.said("leases moved")
            assert await on.report(0) == 200
            assert "lost" not in await on.story()
            await on.happened("lost")  # for now it is silent indeed
    finally:
        stage.clear()


@pytest.mark.skipif(not FAKETIME.exists(), reason="libfaketime is not installed")
@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_a_clock_that_jumps_loses_nobody_and_keeps_nobody(
    embedded: Stage, tmp_path: Path, jump_s: int
) -> None:
    dial_of_clock = tmp_path / "clock"
    dial_of_clock.write_text("+0")
    embedded.settings |= {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(dial_of_clock),
        "FAKETIME_CACHE_DURATION": "1",
        "NO_FAKE_STAT": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "HUB_ACCESS_TOKEN_S": "86400",
    }
    async with scene(embedded) as on:
        await on.take(0)
        await on.happened("suspect")
        dial_of_clock.write_text(f"{jump_s:+d}")
        await on.said("leases moved")
        assert await on.report(0) == 200
        assert "lost" not in await on.story()
        # And who dies after the jump is found out as soon as ever.
        async with asyncio.timeout(3 * LOST_S):
            await on.happened("lost")
