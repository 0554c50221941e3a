"""What a node uploads after it lost its job: refused, kept for an administrator, never shown."""

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from hub.lifecycle import commands as c
from hub.lifecycle import quarantine as rules
from hub.lifecycle.quarantine import Quarantine
from hub.lifecycle.refusals import NotYours
from hub.outputs.store import StoredBytes
from hub.upkeep.leftovers import Leftovers
from orm.queries import quarantine
from orm.queries.quarantine import Late
from tests.integration.outputs_world import LIMIT_S, LOG, Work, World, pieces, running
from tests.servers import PrivatePostgres, require

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT_BYTES = 10_000
OLD_S = 7_200.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgres"])
async def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    url = ""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").create_database("quarantine")
    data = tmp_path_factory.mktemp("data") / "hub"
    async with running(url, data, quarantine_bytes=LIMIT_BYTES) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def late(world: World) -> Work:
    """The work of a node that has lost its job to an abort."""
    work = await world.work()
    await work.abort()
    return work


def unique(label: str = "") -> bytes:
    """Bytes that no other test has: the store of a module is one."""
    return random.randbytes(1_000) + label.encode()


def refused(answer: httpx.Response) -> bool:
    """Say of a refusal whether what was sent is kept."""
    assert answer.status_code == 403, answer.text
    assert answer.json()["code"] == "not_the_holder"
    return "kept apart for an administrator" in answer.json()["detail"]


async def kept(work: Work) -> list[dict[str, Any]]:
    answer = await work.world.client.get(f"/v1/jobs/{work.pk}/quarantine")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def taken_over(work: Work) -> Work:
    """Return the same job in the hands of another node that runs it."""
    other = Work(work.world, work.pk, await work.world.node(), "user")
    await other.start()
    return other


def make_old(world: World, body: bytes) -> None:
    path = world.file_of(hashlib.sha256(body).hexdigest())
    then = path.stat().st_mtime - OLD_S
    os.utime(path, (then, then))


# --- What is kept ---------------------------------------------------------------------------------


async def test_what_comes_too_late_is_refused_and_kept(late: Work) -> None:
    body = unique()
    assert refused(await late.upload(body))
    (item,) = await kept(late)
    assert item | {"pk": 0, "time": "", "url": ""} == {
        "pk": 0,
        "job": late.pk,
        "node": late.node,
        "account": 2,
        "name": LOG[0],
        "type": LOG[1],
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "time": "",
        "url": "",
    }
    assert item["url"] == f"/v1/jobs/{late.pk}/quarantine/{item['pk']}"
    assert (await late.world.client.get(item["url"])).content == body


async def test_it_is_no_output_anywhere(late: Work) -> None:
    body = unique()
    assert refused(await late.upload(body))
    client = late.world.client
    assert await late.shown() == []
    assert (await client.get(late.url())).status_code == 400
    assert (await client.get(f"{late.url()}/info")).status_code == 400
    spec = {"include_inactive": True}
    outputs = (await client.post("/v1/job-outputs/list", json=spec)).json()
    assert late.pk not in [output["job"] for output in outputs]
    events = (await client.get(f"/v1/jobs/{late.pk}/events")).json()["items"]
    assert events[-1]["transition"] == "abort"


async def test_the_next_holder_uploads_under_the_same_name(late: Work) -> None:
    winner = await taken_over(late)
    mine, theirs = unique("mine"), unique("theirs")
    assert refused(await late.upload(mine))
    await winner.stored(theirs)
    assert refused(await late.upload(mine))
    assert (await late.world.client.get(winner.url())).content == theirs
    await winner.do(c.Finish, outputs=(LOG[0],))
    assert refused(await late.upload(unique("much later")))
    assert await winner.shown() == [LOG]


async def test_the_same_bytes_again_are_kept_once(late: Work) -> None:
    body = unique()
    for _ in range(3):
        assert refused(await late.upload(body))
    assert refused(await late.upload(body, ("other", "t")))
    assert [item["name"] for item in await kept(late)] == ["other", LOG[0]]


@pytest.mark.parametrize("size", [0, 1, LIMIT_BYTES])
async def test_any_number_of_bytes_up_to_the_limit_is_kept(late: Work, size: int) -> None:
    assert refused(await late.upload(random.randbytes(size)))
    assert [item["size"] for item in await kept(late)] == [size]


@pytest.mark.parametrize("is_announced", [True, False])
async def test_what_is_larger_is_refused_and_leaves_nothing(
    late: Work, *, is_announced: bool
) -> None:
    body = random.randbytes(LIMIT_BYTES + 1)
    before = late.world.files()
    assert not refused(await late.upload(body if is_announced else pieces(body)))
    assert await kept(late) == []
    assert late.world.files() == before


async def test_what_no_output_could_be_named_is_not_kept(late: Work) -> None:
    assert not refused(await late.upload(b"x", ("x" * 201, "t")))
    assert await kept(late) == []


async def test_who_never_had_the_job_leaves_nothing(late: Work) -> None:
    stranger = Work(late.world, late.pk, await late.world.node(), "user")
    before = late.world.files()
    assert not refused(await stranger.upload(unique()))
    assert await kept(late) == []
    assert late.world.files() == before


async def test_a_node_that_loses_its_job_while_the_bytes_come_is_late_too(world: World) -> None:
    work = await world.work()
    body = unique()
    arrived, aborted = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:500]
        arrived.set()
        await asyncio.wait_for(aborted.wait(), LIMIT_S)
        yield body[500:]

    uploading = asyncio.create_task(work.upload(slowly()))
    await asyncio.wait_for(arrived.wait(), LIMIT_S)
    await work.abort()
    aborted.set()
    assert refused(await uploading)
    (item,) = await kept(work)
    assert (await world.client.get(item["url"])).content == body


async def test_a_node_whose_run_was_lost_uploads_into_it_when_nobody_took_the_job(
    world: World,
) -> None:
    work = await world.work()
    async with world.hub.engine.transaction() as transaction:
        await transaction.fetch(
            "UPDATE jobs SET last_contact_us = last_contact_us - 60000000 WHERE pk = ?", (work.pk,)
        )
    hub = c.Actor(account=None)
    lost = await world.hub.ledger.execute(c.Expire(actor=hub, job=work.pk, attempt=1, is_idle=True))
    assert lost.job.status == "QUEUED"
    await work.stored(unique())
    assert await kept(work) == []
    assert await work.shown() == [LOG]
    assert (await world.client.get(f"/v1/jobs/{work.pk}")).json()["status"] == "RUNNING"


# --- Who may see it -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["user", "viewer"])
async def test_only_an_administrator_sees_what_is_kept(late: Work, name: str) -> None:
    assert refused(await late.upload(unique()))
    (item,) = await kept(late)
    for url in (f"/v1/jobs/{late.pk}/quarantine", item["url"]):
        headers = {"Authorization": f"Bearer {name}"}
        assert (await late.world.client.get(url, headers=headers)).status_code == 403


async def test_it_is_found_only_under_its_own_job(late: Work) -> None:
    assert refused(await late.upload(unique()))
    (item,) = await kept(late)
    other = await late.world.queued()
    client = late.world.client
    assert (await client.get(f"/v1/jobs/{other}/quarantine/{item['pk']}")).status_code == 404
    assert (await client.get(f"/v1/jobs/{late.pk}/quarantine/999999")).status_code == 404
    assert (await client.get("/v1/jobs/999999/quarantine")).status_code == 404


async def test_a_download_is_as_harmless_as_that_of_an_output(late: Work) -> None:
    body = unique()
    assert refused(await late.upload(body, ('evil".html', "t")))
    (item,) = await kept(late)
    answer = await late.world.client.get(item["url"], headers={"Range": "bytes=1-3"})
    assert (answer.status_code, answer.content) == (206, body[1:4])
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["content-type"] == "application/data"
    again = await late.world.client.get(item["url"], headers={"If-None-Match": headers["etag"]})
    assert again.status_code == 304


# --- Not for ever ---------------------------------------------------------------------------------


async def test_the_oldest_of_too_many_go(late: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "A_JOB_MAX", 3)
    for number in range(5):
        assert refused(await late.upload(unique(), (f"log {number}", "t")))
    assert [item["name"] for item in await kept(late)] == ["log 4", "log 3", "log 2"]


async def test_what_is_too_old_is_forgotten_with_its_bytes(late: Work) -> None:
    world, old, young = late.world, unique("old"), unique("young")
    assert refused(await late.upload(old, ("old", "t")))
    assert refused(await late.upload(young, ("young", "t")))
    async with world.hub.engine.transaction() as transaction:
        await transaction.fetch(
            "UPDATE quarantine SET time_us = time_us - 604800000000 WHERE name = 'old'"
        )
    for body in (old, young):
        make_old(world, body)
    leftovers = Leftovers(world.hub.engine, world.hub.store)
    await leftovers.sweep()
    assert all(world.file_of(hashlib.sha256(body).hexdigest()).exists() for body in (old, young))

    assert await world.hub.quarantine.sweep() == 1
    assert await world.hub.quarantine.sweep() == 0
    await leftovers.sweep()

    assert [item["name"] for item in await kept(late)] == ["young"]
    there = [world.file_of(hashlib.sha256(body).hexdigest()).exists() for body in (old, young)]
    assert there == [False, True]


async def test_a_job_that_is_deleted_for_good_takes_it_along(late: Work) -> None:
    body = unique()
    assert refused(await late.upload(body))
    assert (await late.world.client.delete(f"/v1/jobs/{late.pk}/hard")).status_code == 200
    engine = late.world.hub.engine
    assert await engine.fetch("SELECT pk FROM quarantine WHERE job = ?", (late.pk,)) == []
    make_old(late.world, body)
    await Leftovers(engine, late.world.hub.store).sweep()
    assert not late.world.file_of(hashlib.sha256(body).hexdigest()).exists()


async def test_nothing_is_kept_of_a_job_that_is_gone(world: World) -> None:
    late = Late(999_999, 1, 2, "log", "t")
    assert not await quarantine.keep(world.hub.engine, late, "0" * 64, 1, now_us=1, most=3)


async def test_a_hub_that_keeps_nothing_refuses_at_once(late: Work) -> None:
    nothing = Quarantine(late.world.hub.engine, limit_bytes=0, life_s=1)
    assert not nothing.may_take(None)
    assert not nothing.may_take(0)
    assert not await nothing.keep(
        Late(late.pk, late.node, 2, "log", "t"), StoredBytes(sha256="0" * 64, size=1)
    )


async def test_an_administrators_refusal_is_not_about_nodes(late: Work) -> None:
    # Without a Node-Id nobody lost the job, so nothing is kept.
    assert NotYours.code == "not_the_holder"
    answer = await late.world.client.post(late.url(), content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_transition")
    assert await kept(late) == []
