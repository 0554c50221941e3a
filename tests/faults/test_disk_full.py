"""No room left for the database: writes are refused, reads go on, nothing answered is lost."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.bench.client import Caller, dial
from tests.bench.world import progress_body, running_jobs
from tests.faults.stage import Stage, Victim

LIMIT_BYTES = 1_500_000
POSTS_MAX = 2_000


def limit_growth(hub: Victim, most_bytes: int) -> None:
    """Let no file of the hub grow beyond a limit: writes fail behind it, as on a full disk."""
    _, hard = resource.prlimit(hub.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (most_bytes, hard))


@contextmanager
def no_room(hub: Victim) -> Iterator[None]:
    """Leave no room on the hub's disk while the block runs."""
    limit_growth(hub, LIMIT_BYTES)
    try:
        yield
    finally:
        limit_growth(hub, resource.RLIM_INFINITY)


def fill(client: httpx.Client, job: int) -> tuple[list[int], httpx.Response]:
    """Report progress until it is refused; return what was answered, and the refusal."""
    done: list[int] = []
    for counter in range(POSTS_MAX):
        answer = client.post(f"/v1/jobs/{job}/progress/0.5", json=progress_body(counter))
        if answer.status_code != 200:
            return done, answer
        done.append(counter)
    pytest.fail("the limit was never reached")


async def test_a_full_disk_refuses_writes_and_loses_nothing(embedded: Stage) -> None:
    hub = embedded.start()
    world = await embedded.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    with hub.client(world.token, world.nodes[0]) as client:
        with no_room(hub):
            done, refusal = await asyncio.to_thread(fill, client, job)
            assert refusal.status_code in (503, 507)
            assert int(refusal.headers["Retry-After"]) >= 1
            # A little may still fit where more did not.
            much = {"counter": -2, "text": "x" * 100_000}
            assert client.post(f"/v1/jobs/{job}/progress/1", json=much).status_code in (503, 507)
            assert client.get(f"/v1/jobs/{job}").json()["status"] == "RUNNING"
            assert client.get("/health/live").status_code == 200
        assert client.post(f"/v1/jobs/{job}/progress/1", json={"counter": -1}).status_code == 200
    assert len(done) > 20
    assert await counters(embedded) == [*done, -1]
    assert await embedded.faults() == []
    assert hub.stop() == 0


async def counters(stage: Stage) -> list[int]:
    """Return the counters of the reports in the log, in its order."""
    return [
        int(event["data"].partition('"counter":')[2].partition(",")[0].rstrip("}"))
        for event in (await stage.story()).events
        if event["type"] == "progress"
    ]


async def test_what_was_answered_on_a_full_disk_outlives_a_kill(embedded: Stage) -> None:
    hub = embedded.start()
    world = await embedded.world(hub, 1)
    (job,) = await running_jobs(hub.listens_at, world)
    with hub.client(world.token, world.nodes[0]) as client:
        limit_growth(hub, LIMIT_BYTES)
        done, _ = await asyncio.to_thread(fill, client, job)
        hub.kill()
    hub = embedded.start()
    assert await counters(embedded) == done
    assert await embedded.faults() == []
    caller = await dial(hub.listens_at, Caller())
    await caller.call(world.progress(job, world.nodes[0]))
    caller.transport.close()
