"""PostgreSQL dies, comes back, or throws everybody out: the hub says so, waits, and goes on."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.bench.world import World, progress_body, running_jobs
from tests.faults.crowd import all_live, crowd
from tests.faults.history import History
from tests.faults.stage import Stage, Victim
from tests.frame_schemas import STREAM, Json, told
from tests.servers import PrivatePostgres, require

NODES = 8
HEALED_LIMIT_S = 3.0
CALL_LIMIT_S = 5.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    """A server that is killed and started again, and forgets nothing."""
    require(PrivatePostgres)
    with PrivatePostgres() as server:
        yield server


@pytest.fixture
def stage(postgres: PrivatePostgres, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "hub", postgres.create_database(tmp_path.name))
    yield made
    made.clear()


@asynccontextmanager
async def working(
    hub: Victim, world: World, history: History
) -> AsyncIterator["asyncio.Task[None]"]:
    """Workers that keep at it, whatever they are answered, until the block ends."""
    task = asyncio.create_task(all_live(hub.listens_at, crowd(world, history, seed=1)))
    await asyncio.wait([task], timeout=0.5)
    try:
        yield task
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def seconds_until_written(client: httpx.AsyncClient, job: int) -> float:
    """Report progress until that goes well; return how long it took."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < 20:
        answer = await client.post(f"/v1/jobs/{job}/progress/0.5", json=progress_body(0))
        if answer.status_code == 200:
            return time.monotonic() - began_s
        assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.05)
    pytest.fail("the hub did not write again")


def as_node(hub: Victim, world: World, node: int) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {world.token}", "Node-Id": str(node)}
    return httpx.AsyncClient(base_url=hub.url, headers=headers, trust_env=False, timeout=20)


async def answered_away(client: httpx.AsyncClient, method: str, path: str) -> None:
    began_s = time.monotonic()
    answer = await client.request(method, path, json={} if method == "POST" else None)
    assert time.monotonic() - began_s < CALL_LIMIT_S
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["content-type"] == "application/problem+json"


async def test_while_postgresql_is_away_the_hub_says_so_and_then_goes_on(
    stage: Stage, postgres: PrivatePostgres
) -> None:
    hub = stage.start()
    world = await stage.world(hub, NODES + 1)
    mine, others = world.nodes[0], World(world.token, world.nodes[1:])
    (job,) = await running_jobs(hub.listens_at, World(world.token, (mine,)))
    history = History()
    async with as_node(hub, world, mine) as client, working(hub, others, history):
        async with dead(postgres):
            for method, path in (
                ("POST", f"/v1/jobs/{job}/progress/0.5"),
                ("GET", f"/v1/jobs/{job}"),
                ("DELETE", f"/v1/jobs/{job}/cancel"),
            ):
                await answered_away(client, method, path)
            assert (await client.get("/health/live")).status_code == 200
            await ready_is(503, client)
        assert await seconds_until_written(client, job) < HEALED_LIMIT_S
        done = history.done.total()
        await asyncio.sleep(0.5)
        assert history.done.total() > done
        await ready_is(200, client)
    await check(stage, hub, history, but=job)


@asynccontextmanager
async def dead(postgres: PrivatePostgres) -> AsyncIterator[None]:
    """Kill PostgreSQL; it takes connections again when the block has ended."""
    await asyncio.to_thread(postgres.kill9)
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.restart)


async def ready_is(status: int, client: httpx.AsyncClient) -> None:
    """Ask for readiness until it is ``status``: what was found is believed for a second."""
    began_s = time.monotonic()
    while (await client.get("/health/ready")).status_code != status:
        assert time.monotonic() - began_s < 3
        await asyncio.sleep(0.1)


async def check(stage: Stage, hub: Victim, history: History, *, but: int) -> None:
    """End the hub, and compare what was answered with the log, job ``but`` left out."""
    assert await asyncio.to_thread(hub.stop) == 0
    # That the database is away is worth an error line here and there; a failed request is a bug.
    assert [line for line in hub.complaints() if re.search("unforeseen|command failed", line)] == []
    events = (await stage.story()).events
    assert history.against(event for event in events if event["job"] != but) == []
    assert await stage.faults() == []


async def test_watchers_stay_while_postgresql_is_away_and_hear_what_comes_after(
    stage: Stage, postgres: PrivatePostgres
) -> None:
    hub = stage.start()
    world = await stage.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    async with (
        as_node(hub, world, world.nodes[0]) as client,
        connect(
            f"{hub.socket_url}/v1/jobs/{job}",
            additional_headers={"Authorization": f"Bearer {world.token}"},
            proxy=None,
        ) as watcher,
    ):
        told(await watcher.recv())
        async with dead(postgres):
            await answered_away(client, "POST", f"/v1/jobs/{job}/progress/0.25")
        assert await seconds_until_written(client, job) < HEALED_LIMIT_S
        assert await heard(watcher) == [3, 4]
    assert await asyncio.to_thread(hub.stop) == 0


async def test_a_stream_is_told_that_it_may_be_out_of_date_and_goes_on(
    stage: Stage, postgres: PrivatePostgres
) -> None:
    hub = stage.start()
    world = await stage.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    async with (
        as_node(hub, world, world.nodes[0]) as client,
        connect(
            f"{hub.socket_url}/v1/stream",
            additional_headers={"Authorization": f"Bearer {world.token}"},
            subprotocols=[Subprotocol("hub.v1")],
            proxy=None,
        ) as stream,
    ):
        wish = {"op": "subscribe", "id": "s", "topic": "job", "jobs": [job], "snapshot": "never"}
        await stream.send(json.dumps(wish))
        assert [(await next_of(stream))["op"] for _ in range(2)] == ["hello", "subscribed"]
        async with dead(postgres):
            notice = await next_of(stream)
            assert (notice["op"], notice["code"]) == ("notice", "stale")
        assert await seconds_until_written(client, job) < HEALED_LIMIT_S
        (event,) = (await next_of(stream))["events"]
        assert (event["job"], event["tseq"], event["seq"]) == (job, 3, 4)
    assert await asyncio.to_thread(hub.stop) == 0


async def next_of(stream: ClientConnection) -> Json:
    return told(await asyncio.wait_for(stream.recv(), 15), STREAM)


async def heard(watcher: ClientConnection) -> list[int]:
    message = told(await asyncio.wait_for(watcher.recv(), 5))
    return [message["tseq"], message["seq"]]


async def test_the_hub_survives_that_all_its_sessions_are_ended_twice(
    stage: Stage,
) -> None:
    hub = stage.start()
    world = await stage.world(hub, NODES + 1)
    mine, others = world.nodes[0], World(world.token, world.nodes[1:])
    (job,) = await running_jobs(hub.listens_at, World(world.token, (mine,)))
    history = History()
    async with as_node(hub, world, mine) as client, working(hub, others, history):
        for _ in range(2):
            await end_all_sessions(stage.database_url)
            assert await seconds_until_written(client, job) < HEALED_LIMIT_S
            done = history.done.total()
            await asyncio.sleep(0.5)
            assert history.done.total() > done
    await check(stage, hub, history, but=job)


async def end_all_sessions(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
    assert len(ended) >= 2
