"""Outputs over HTTP: what goes in comes out, whole or not at all, on both databases."""

import asyncio
import base64
import hashlib
import logging
import os
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from hub.api.uploads import check_key
from hub.errors import HubError, InvalidInput
from hub.lifecycle import commands as c
from hub.lifecycle import results
from hub.lifecycle.refusals import NotYours
from hub.outputs import place
from hub.upkeep.leftovers import Leftovers
from orm.queries import jobs
from tests.integration.outputs_world import (
    ACCOUNTS,
    LOG,
    Work,
    World,
    answer_on,
    pieces,
    running,
)
from tests.servers import PrivatePostgres, require

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = random.Random(7).randbytes(300_001)
HASH = hashlib.sha256(BODY).hexdigest()
OLD_S = 7_200.0
TYPES = [
    "Compressed<JSON, 8>",
    "BLOB<'txt'>",
    "Model<Domain<'Image Classification'>, Framework<'x', '1'>>",
]


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
        url = request.getfixturevalue("postgres").create_database("outputs")
    async with running(url, tmp_path_factory.mktemp("data") / "hub") as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def work(world: World) -> Work:
    return await world.work()


def unique(label: str = "") -> bytes:
    """Bytes that no other test has: the store of a module is one."""
    return random.randbytes(1_000) + label.encode()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def make_old(path: Path) -> None:
    then = path.stat().st_mtime - OLD_S
    os.utime(path, (then, then))


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# --- Up and down ----------------------------------------------------------------------------------


@pytest.mark.parametrize("type_text", TYPES)
async def test_an_output_comes_back_as_it_was_uploaded(work: Work, type_text: str) -> None:
    uploaded = await work.upload(
        BODY,
        ("log", type_text),
        Content_Type="application/data",
        Content_Disposition="attachment; filename=log",
    )
    download = await work.world.client.get(work.url("log", type_text))
    info = await work.world.client.get(work.url("log", type_text) + "/info")

    assert uploaded.status_code == download.status_code == info.status_code == 200
    assert uploaded.json() == info.json()
    assert uploaded.json() | {"pk": 0, "creation_time": ""} == {
        "pk": 0,
        "job": work.pk,
        "name": "log",
        "type": type_text,
        "creator": ACCOUNTS["user"],
        "creation_time": "",
        "deletion_time": None,
        "attempt": 1,
        "size": len(BODY),
        "sha256": HASH,
    }
    assert download.content == BODY
    assert await work.shown() == [("log", type_text)]


async def test_a_download_says_what_it_is_and_cannot_run_in_a_browser(work: Work) -> None:
    await work.stored(b"<script>alert(1)</script>")

    headers = (await work.world.client.get(work.url())).headers

    assert headers["content-type"] == "application/data"
    assert headers["content-length"] == "25"
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == f'"{sha256(b"<script>alert(1)</script>")}"'
    assert headers["content-disposition"].startswith('attachment; filename="log"')
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


async def test_the_forms_in_which_clients_write_a_type_mean_the_same(work: Work) -> None:
    stored = await work.stored(b"x", ("log", "Compressed<JSON, 8>"))
    async with work.world.connected() as (reader, writer):
        for written in ("Compressed%3CJSON,%208%3E", "Compressed%3cJSON%2C%208%3e"):
            path = f"/v1/jobs/{work.pk}/outputs/log/{written}/info"
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer user\r\n\r\n".encode()
            )
            answer = await answer_on(reader)
            assert (answer.status, answer.json()) == (200, stored)


@pytest.mark.parametrize("body", [b"", b"x"])
async def test_an_upload_may_be_empty(work: Work, body: bytes) -> None:
    assert (await work.stored(body))["size"] == len(body)

    download = await work.world.client.get(work.url())

    assert (download.status_code, download.content) == (200, body)
    assert download.headers["content-length"] == str(len(body))


async def test_an_upload_needs_no_length(work: Work) -> None:
    answer = await work.upload(pieces(BODY))

    assert "content-length" not in answer.request.headers
    assert answer.json()["sha256"] == HASH


async def test_the_same_bytes_again_are_no_change_and_other_bytes_a_conflict(work: Work) -> None:
    first = await work.stored(b"one")
    again = await work.stored(b"one")
    other = await work.upload(b"two")

    assert again == first
    assert code_of(other) == (409, "output_exists")
    assert (await work.world.client.get(work.url())).content == b"one"


async def test_one_name_may_have_outputs_of_several_types(work: Work) -> None:
    await work.stored(b"1", ("log", "a"))
    await work.stored(b"2", ("log", "A"))

    assert (await work.world.client.get(work.url("log", "a"))).content == b"1"
    assert (await work.world.client.get(work.url("log", "A"))).content == b"2"


async def test_an_uploads_answer_says_where_the_log_stood(work: Work) -> None:
    answer = await work.upload(b"x")

    cursor = answer.headers["x-hub-cursor"]
    events = await work.world.client.get(f"/v1/jobs/{work.pk}/events")
    assert cursor == events.headers["x-hub-cursor"]


# --- Digests -------------------------------------------------------------------------------------


async def test_a_right_digest_is_accepted_and_a_wrong_one_stores_nothing(work: Work) -> None:
    body, other = unique("right"), unique("wrong")
    before = work.world.files()

    wrong = await work.upload(other, Content_Digest=digest_of(b"something else"))
    assert code_of(wrong) == (400, "digest_mismatch")
    assert work.world.files() == before
    assert await work.shown() == []

    right = await work.upload(body, Content_Digest=digest_of(body))
    assert right.status_code == 200


@pytest.mark.parametrize("digest", ["sha-256=abc", "sha-256=:AAAA:"])
async def test_what_is_no_digest_is_refused(work: Work, digest: str) -> None:
    assert code_of(await work.upload(b"x", Content_Digest=digest)) == (400, "bad_digest")


async def test_other_digests_are_nobodys_business(work: Work) -> None:
    answer = await work.upload(b"x", Content_Digest="md5=:AAAA:", Digest="sha-256=no")
    assert answer.status_code == 200


async def test_an_output_may_be_larger_than_any_json_body(work: Work) -> None:
    body = bytes(work.world.hub.settings.max_body_bytes + 1)
    assert (await work.stored(body))["size"] == len(body)


# --- Parts and conditions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status", "part", "said"),
    [
        ("bytes=0-0", 206, slice(0, 1), "bytes 0-0/10"),
        ("bytes=2-4", 206, slice(2, 5), "bytes 2-4/10"),
        ("bytes=7-", 206, slice(7, 10), "bytes 7-9/10"),
        ("bytes=-3", 206, slice(7, 10), "bytes 7-9/10"),
        ("bytes=-99", 206, slice(0, 10), "bytes 0-9/10"),
        ("bytes=5-99", 206, slice(5, 10), "bytes 5-9/10"),
        ("bytes=0-1,4-5", 200, slice(0, 10), None),
        ("lines=1-2", 200, slice(0, 10), None),
        ("bytes=4-2", 200, slice(0, 10), None),
        ("bytes=x", 200, slice(0, 10), None),
    ],
)
async def test_a_range_brings_that_part(
    work: Work, asked: str, status: int, part: slice, said: str | None
) -> None:
    await work.stored(b"0123456789")

    answer = await work.world.client.get(work.url(), headers={"Range": asked})

    assert (answer.status_code, answer.content) == (status, b"0123456789"[part])
    assert answer.headers.get("content-range") == said
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0"])
async def test_a_range_behind_the_end_is_416_with_the_size(work: Work, asked: str) -> None:
    await work.stored(b"0123456789")

    answer = await work.world.client.get(work.url(), headers={"Range": asked})

    assert code_of(answer) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */10"


async def test_a_client_that_has_the_bytes_gets_none(work: Work) -> None:
    await work.stored(b"0123456789")
    tag = (await work.world.client.get(work.url())).headers["etag"]

    for given in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        answer = await work.world.client.get(work.url(), headers={"If-None-Match": given})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    other = await work.world.client.get(work.url(), headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


async def test_a_range_counts_only_for_the_bytes_that_the_client_knows(work: Work) -> None:
    await work.stored(b"0123456789")
    tag = (await work.world.client.get(work.url())).headers["etag"]

    for known, status in ((tag, 206), (f"W/{tag}", 200), ('"x"', 200)):
        headers = {"Range": "bytes=0-1", "If-Range": known}
        assert (await work.world.client.get(work.url(), headers=headers)).status_code == status


async def test_head_says_what_get_would_and_sends_no_bytes(work: Work) -> None:
    await work.stored(b"0123456789")

    head = await work.world.client.head(work.url())
    whole = await work.world.client.get(work.url())

    assert (head.status_code, head.content) == (200, b"")
    ignored = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in whole.headers.items() if k not in ignored
    }


# --- Who may, and what is not there ---------------------------------------------------------------


async def test_an_unknown_output_is_400_in_the_words_that_clients_know(work: Work) -> None:
    client = work.world.client
    for answer in (
        await client.get(work.url("x", "t")),
        await client.get(work.url("x", "t") + "/info"),
        await client.delete(work.url("x", "t")),
    ):
        assert code_of(answer) == (400, "unknown_output")
        detail = "Bad name 'x': Job has no output by this name/type (x/t)"
        assert answer.json()["detail"] == detail
    assert (await client.head(work.url("x", "t"))).status_code == 400


async def test_an_output_of_an_unknown_job_is_404(work: Work) -> None:
    url = f"/v1/jobs/{2**62}/outputs/log/t"
    assert code_of(await work.world.client.get(url)) == (404, "not_found")
    answer = await work.world.client.post(url, content=b"x", headers=work.headers)
    assert code_of(answer) == (404, "not_found")


async def test_an_upload_is_refused_in_the_agreed_order(world: World) -> None:
    queued, missing = await world.queued(), 2**62
    node = str(await world.node())
    user = {"Authorization": "Bearer user"}
    viewer = {"Authorization": "Bearer viewer"}
    nobody = {"Authorization": "Bearer nobody"}
    rows: list[tuple[int, dict[str, str], int]] = [
        (missing, nobody | {"Node-Id": "0"}, 401),
        (missing, user | {"Node-Id": "0"}, 400),
        (missing, viewer, 403),
        (missing, user, 403),
        (missing, user | {"Node-Id": node}, 404),
        (queued, user | {"Node-Id": node}, 403),
        (missing, {}, 404),
        (queued, {}, 409),
    ]
    for job, headers, status in rows:
        url = f"/v1/jobs/{job}/outputs/log/t"
        answer = await world.client.post(url, content=b"x", headers=headers)
        assert answer.status_code == status, (job, headers, answer.text)


async def test_a_job_takes_outputs_from_its_start_to_its_end(world: World) -> None:
    work = Work(world, await world.queued(), await world.node(), "user")
    await work.do(c.Acquire)
    assert code_of(await work.upload()) == (409, "illegal_transition")
    await work.do(c.Start)
    await work.stored(b"1", ("a", "t"))
    await work.do(c.Finish, outputs=("a",))
    assert code_of(await work.upload(b"2", ("b", "t"))) == (409, "illegal_transition")
    assert await work.shown() == [("a", "t")]


async def test_a_failed_job_still_takes_its_log(work: Work) -> None:
    await work.fail()
    await work.stored()


async def test_the_rule_itself_lets_no_plain_account_add_outputs(work: Work) -> None:
    row = await jobs.brief(work.world.hub.engine, work.pk)
    assert row is not None
    with pytest.raises(NotYours):
        results.check_may_add(row, c.Actor(ACCOUNTS["user"]), row.modified_us)


async def test_an_administrator_without_a_node_may_add_an_output(work: Work) -> None:
    answer = await work.world.client.post(work.url(), content=b"x")
    assert (answer.status_code, answer.json()["creator"]) == (200, ACCOUNTS["admin"])


@pytest.mark.parametrize("owner", ["user", "admin"])
async def test_the_loser_of_a_race_cannot_store_a_log_whoever_it_is(
    world: World, owner: str
) -> None:
    winner = await world.work("user")
    loser = Work(world, winner.pk, await world.node(owner), owner)
    with pytest.raises(HubError):
        await loser.do(c.Acquire)
    before = world.files()

    assert code_of(await loser.upload(unique("loser"))) == (403, "not_the_holder")

    assert world.files() == before
    assert await winner.shown() == []
    await winner.stored(b"the winner's log")


async def test_only_an_administrator_hides_an_output(work: Work) -> None:
    stored = await work.stored(b"one")

    refused = await work.world.client.delete(work.url(), headers=work.headers)
    assert refused.status_code == 403
    hidden = await work.world.client.delete(work.url())

    assert hidden.status_code == 200
    assert hidden.json() == stored | {"deletion_time": hidden.json()["deletion_time"]}
    assert hidden.json()["deletion_time"] is not None
    assert await work.shown() == []
    assert code_of(await work.world.client.get(work.url())) == (400, "unknown_output")
    assert (await work.stored(b"two"))["pk"] != stored["pk"]


# --- Runs -----------------------------------------------------------------------------------------


async def test_a_second_run_after_a_reset_stores_its_own_log(work: Work) -> None:
    first = await work.stored(b"first run")
    await work.fail()
    await work.do(c.Reset)
    assert code_of(await work.world.client.get(work.url())) == (400, "unknown_output")
    await work.do(c.Start)

    second = await work.stored(b"second run")

    assert second["pk"] != first["pk"]
    assert (await work.world.client.get(work.url())).content == b"second run"


async def test_a_second_run_after_an_abort_stores_its_own_log(work: Work) -> None:
    await work.stored(b"first run")
    await work.abort()
    other = Work(work.world, work.pk, await work.world.node(), "user")
    await other.start()

    assert code_of(await work.upload(b"late")) == (403, "not_the_holder")
    second = await other.stored(b"second run")

    assert second["attempt"] == 2
    assert await other.shown() == [LOG]


async def test_a_failed_job_that_is_taken_again_shows_nothing_of_the_former_attempt(
    work: Work,
) -> None:
    await work.stored(b"first run")
    await work.fail()
    await work.do(c.Release)
    other = Work(work.world, work.pk, await work.world.node(), "user")
    await other.do(c.Acquire)

    assert await other.shown() == []
    assert code_of(await work.world.client.get(work.url())) == (400, "unknown_output")
    assert (await other.stored(b"second run"))["attempt"] == 2


async def test_bytes_that_began_to_come_in_an_earlier_run_are_not_taken(work: Work) -> None:
    async with work.world.call_of("receive") as call, work.world.connected() as (reader, writer):
        writer.write(work.head("Content-Length: 10") + b"01234")
        await call.has_begun()
        await work.fail()
        await work.do(c.Reset)
        await work.do(c.Start)
        writer.write(b"56789")
        answer = await answer_on(reader)

    assert (answer.status, answer.json()["code"]) == (409, "run_over")
    assert await work.shown() == []


async def test_an_upload_that_takes_long_keeps_its_node_in_touch(work: Work) -> None:
    before = await jobs.brief(work.world.hub.engine, work.pk)
    async with work.world.call_of("receive") as call, work.world.connected() as (reader, writer):
        writer.write(work.head("Content-Length: 10") + b"01234")
        await call.has_begun()
        await work.world.hub.ledger.flush_contacts()
        during = await jobs.brief(work.world.hub.engine, work.pk)
        writer.write(b"56789")
        assert (await answer_on(reader)).status == 200

    assert before is not None
    assert during is not None
    assert before.last_contact_us is not None
    assert during.last_contact_us is not None
    assert during.last_contact_us > before.last_contact_us


async def test_after_a_cancel_its_holder_may_still_upload_for_a_while(work: Work) -> None:
    stranger = Work(work.world, work.pk, await work.world.node(), "user")
    await work.cancel()

    assert code_of(await stranger.upload(b"x")) == (403, "not_the_holder")
    await work.stored(b"the log")

    engine = work.world.hub.engine
    row = await jobs.brief(engine, work.pk)
    assert row is not None
    assert row.canceled_us is not None
    async with engine.transaction() as transaction:
        long_ago_us = row.canceled_us - results.AFTER_CANCEL_US
        sql = "UPDATE jobs SET canceled_us = ? WHERE pk = ?"
        await transaction.fetch(sql, (long_ago_us, work.pk))
    late = await work.upload(b"more", ("more", "t"))
    assert code_of(late) == (409, "illegal_transition")


# --- Names ----------------------------------------------------------------------------------------

NAMES = [
    "....",
    "~",
    "a b",
    "CON",
    "nul.txt",
    "log.",
    " log ",
    "info",
    "-rf",
    'say "hi"',
    "it's",
    "back\\slash",
    "..\\..\\x",
    "semi;colon",
    "a?b#c&d=e",
    "%2e%2e%2f",
    "100%",
    "C:evil",
    "\u202egnp.exe",
    "\ufb01n",
    "cafe\u0301",
    "café",
    "😀" * 200,
    "n" * 200,
    "{pk}",
    "' OR 1=1 --",
    "<script>",
    "=1+1",
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_a_text_and_never_a_path(work: Work, name: str) -> None:
    body = unique(name)
    async with work.world.connected() as (reader, writer):
        writer.write(work.head(f"Content-Length: {len(body)}", key=(name, name)) + body)
        uploaded = await answer_on(reader)
        assert uploaded.status == 200, uploaded.body
        assert (uploaded.json()["name"], uploaded.json()["type"]) == (name, name)
        writer.write(work.head(key=(name, name)).replace(b"POST", b"GET", 1))
        download = await answer_on(reader)

    assert download.body == body
    disposition = download.headers["content-disposition"]
    assert re.fullmatch(
        r"attachment; filename=\"[^\"\\/]+\"; filename\*=UTF-8''[!#$&+\-.^_`|~%\w]+", disposition
    )
    hashes = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}")
    root = work.world.hub.settings.outputs_dir
    for path in work.world.files():
        assert path.name == place.NAME or hashes.fullmatch(str(path.relative_to(root)))


@pytest.mark.parametrize(
    ("name", "type_text"),
    [
        ("n" * 201, "t"),
        ("😀" * 201, "t"),
        ("n", "t" * 1_025),
        ("n", "😀" * 1_024),
        ("a\r\nX-Evil: 1", "t"),
        ("a\0b", "t"),
        ("n", "\x7f"),
        ("n", "\x85"),
    ],
)
async def test_a_name_or_type_that_cannot_be_is_refused(
    work: Work, name: str, type_text: str
) -> None:
    for answer in (
        await work.upload(b"x", (name, type_text)),
        await work.world.client.get(work.url(name, type_text)),
        await work.world.client.delete(work.url(name, type_text)),
    ):
        assert code_of(answer) == (400, "invalid_input")
        assert {"name", "type"} & set(answer.json())
    assert await work.shown() == []


@pytest.mark.parametrize("name", [".", ".."])
async def test_a_name_of_dots_is_refused_since_clients_fold_it_away(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_key(name, "t")


async def test_the_longest_name_with_the_longest_type_is_taken(work: Work) -> None:
    hard_to_compress = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz<>', ", k=1_024))
    key = ("é" * 200, hard_to_compress.replace(" ", "x"))
    await work.stored(b"x", key)
    assert await work.shown() == [key]


async def test_as_many_bytes_of_name_and_type_as_are_let_in_are_stored(work: Work) -> None:
    letters = random.Random(1)
    type_text = "".join(chr(letters.randint(0x10000, 0x1FFFF)) for _ in range(425))
    name = "".join(chr(letters.randint(0x10000, 0x1FFFF)) for _ in range(200))
    await work.stored(b"x", (name, type_text))
    assert code_of(await work.upload(b"x", (name, type_text + "x"))) == (400, "invalid_input")


async def test_a_missing_output_is_noticed_before_a_bad_body(work: Work) -> None:
    answer = await work.world.client.post("/v1/job-outputs/4242/download", json={"filetype": 5})
    assert code_of(answer) == (404, "not_found")


@pytest.mark.parametrize("path", ["a%2Fb/t", "%2e%2e%2f%2e%2e%2f/t", "/t", "a/", "", "a/t/other"])
async def test_what_is_not_two_segments_is_404(work: Work, path: str) -> None:
    async with work.world.connected() as (reader, writer):
        head = work.head("Content-Length: 1").decode()
        line = f"POST /v1/jobs/{work.pk}/outputs/{path} HTTP/1.1"
        writer.write((line + head[head.index("\r\n") :] + "x").encode())
        assert (await answer_on(reader)).status in {404, 405}
    assert await work.shown() == []


# --- Torn uploads ---------------------------------------------------------------------------------


def _torn(kind: str, body: bytes, count: int) -> tuple[str, bytes]:
    """Return the header of a body, and as much of it as stands before the cut."""
    if kind == "length":
        return f"Content-Length: {len(body)}", body[:count]
    return "Transfer-Encoding: chunked", b"%x\r\n%s" % (len(body), body[:count])


@pytest.mark.parametrize("count", [0, 1, 150_000, 300_000])
@pytest.mark.parametrize("kind", ["length", "chunked"])
async def test_a_cut_upload_leaves_nothing_and_can_be_repeated(
    work: Work, kind: str, count: int
) -> None:
    body = unique() * 301
    before = work.world.files()
    header, part = _torn(kind, body, count)

    async with work.world.call_of("receive") as call, work.world.connected() as (_, writer):
        writer.write(work.head(header) + part)
        if count:
            await call.has_begun()

    assert work.world.files() == before
    assert await work.shown() == []
    await work.stored(body)


async def test_a_chunked_body_without_its_end_is_not_complete(work: Work) -> None:
    before = work.world.files()
    async with work.world.call_of("receive") as call, work.world.connected() as (_, writer):
        writer.write(work.head("Transfer-Encoding: chunked") + b"4\r\nabcd\r\n")
        await call.has_begun()
    assert work.world.files() == before
    assert await work.shown() == []


async def test_a_broken_chunk_stores_nothing(work: Work) -> None:
    before = work.world.files()
    async with work.world.call_of("receive") as call, work.world.connected() as (reader, writer):
        writer.write(work.head("Transfer-Encoding: chunked") + b"4\r\nabcd\r\n")
        await call.has_begun()
        writer.write(b"zz\r\nabcd\r\n0\r\n\r\n")
        assert (await answer_on(reader)).status == 400
    assert work.world.files() == before
    assert await work.shown() == []


async def test_a_length_that_says_too_little_cannot_pass_a_digest(work: Work) -> None:
    before = work.world.files()
    async with work.world.connected() as (reader, writer):
        head = work.head("Content-Length: 5", f"Content-Digest: {digest_of(b'0123456789')}")
        writer.write(head + b"0123456789")
        assert (await answer_on(reader)).status == 400
    assert work.world.files() == before
    assert await work.shown() == []


async def test_two_lengths_or_a_length_with_chunks_are_refused(work: Work) -> None:
    for lines in (
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ):
        async with work.world.connected() as (reader, writer):
            writer.write(work.head(*lines) + b"5\r\nabcde\r\n0\r\n\r\n")
            assert (await answer_on(reader)).status == 400
    assert await work.shown() == []


async def test_a_refused_client_that_still_sends_gets_to_read_the_answer(work: Work) -> None:
    stranger = Work(work.world, work.pk, await work.world.node(), "user")
    body = bytes(8 * 2**20)
    async with work.world.connected() as (reader, writer):
        writer.write(stranger.head(f"Content-Length: {len(body)}"))
        writer.write(body)
        await asyncio.wait_for(writer.drain(), 20)
        assert (await answer_on(reader)).status == 403
        # The rest of the body was read and dropped: the connection serves the next request.
        writer.write(work.head("Content-Length: 1") + b"x")
        assert (await answer_on(reader)).status == 200


async def test_who_asks_before_sending_is_told_to_keep_its_bytes(work: Work) -> None:
    stranger = Work(work.world, work.pk, await work.world.node(), "user")
    async with work.world.connected() as (reader, writer):
        writer.write(stranger.head("Content-Length: 1000000", "Expect: 100-continue"))
        assert (await answer_on(reader)).status == 403


async def test_of_two_uploads_of_one_name_at_once_one_wins(work: Work) -> None:
    bodies = [unique("a"), unique("b")]

    answers = await asyncio.gather(*(work.upload(pieces(body)) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    winner = bodies[[answer.status_code for answer in answers].index(200)]
    (loser,) = set(bodies) - {winner}
    assert (await work.world.client.get(work.url())).content == winner
    for body in bodies:
        make_old(work.world.file_of(sha256(body)))
    await Leftovers(work.world.hub.engine, work.world.hub.store).sweep()
    assert work.world.file_of(sha256(winner)).exists()
    assert not work.world.file_of(sha256(loser)).exists()


async def test_equal_bytes_at_once_are_one_output_and_one_file(work: Work) -> None:
    body = unique("equal")
    before = len(work.world.files())

    answers = await asyncio.gather(*(work.upload(pieces(body)) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["pk"] for answer in answers}) == 1
    assert len(work.world.files()) == before + 1


# --- Torn downloads -------------------------------------------------------------------------------


async def test_a_client_that_goes_away_lets_the_file_go(work: Work) -> None:
    body = bytes(32 * 2**20)
    await work.stored(body)
    file = work.world.file_of(sha256(body))
    async with work.world.call_of("read") as call, work.world.connected() as (reader, writer):
        writer.write(work.head().replace(b"POST", b"GET", 1))
        assert (await reader.read(1_000)).startswith(b"HTTP/1.1 200")
        assert str(file) in _open_files()
    assert str(file) not in _open_files()
    assert call.passed_bytes < len(body) / 2


def _open_files() -> set[str]:
    links = Path("/proc/self/fd").iterdir()
    return {os.readlink(link) for link in links if link.is_symlink()}


async def test_damaged_bytes_are_an_error_and_never_an_answer(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    body = unique("damage")
    await work.stored(body)
    file = work.world.file_of(sha256(body))
    for damage in (body[:-1] + bytes([body[-1] ^ 1]), body + b"x", body[:-1]):
        file.write_bytes(damage)
        with caplog.at_level(logging.ERROR, "hub.api"):
            answer = await work.world.client.get(work.url())
        assert code_of(answer) == (500, "output_bytes_damaged")
        assert f"sha256={sha256(body)}" in caplog.text
        caplog.clear()
    file.unlink()
    assert code_of(await work.world.client.get(work.url())) == (503, "output_bytes_missing")
    assert (await work.world.client.head(work.url())).status_code == 503


async def test_damage_in_a_large_output_never_looks_complete(
    work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    body = unique("large") * 1_000
    await work.stored(body)
    file = work.world.file_of(sha256(body))
    file.write_bytes(b"!" + body[1:])

    with pytest.raises(httpx.RemoteProtocolError, match="closed connection"):
        await work.world.client.get(work.url())

    assert "output_bytes_damaged" in caplog.text


# --- Outputs by number ----------------------------------------------------------------------------


async def test_outputs_are_listed_by_a_filter(world: World) -> None:
    work = await world.work()
    kept = await work.stored(b"1", ("kept", "t"))
    gone = await work.stored(b"2", ("gone", "t"))
    await world.client.delete(f"/v1/job-outputs/{gone['pk']}")
    of_job = {"expressions": [{"type": "exact", "field": "job", "value": work.pk}]}

    active = await world.client.post("/v1/job-outputs/list", json=of_job)
    everything = await world.client.post(
        "/v1/job-outputs/list", json=of_job | {"include_inactive": True}
    )

    assert active.json() == [kept]
    assert [output["pk"] for output in everything.json()] == [kept["pk"], gone["pk"]]
    assert (await world.client.post("/v1/job-outputs/list")).status_code == 200
    assert (await world.client.post("/v1/job-outputs/list", json={"x": 1})).status_code == 400


async def test_an_output_is_hidden_and_brought_back_by_number(world: World) -> None:
    work = await world.work()
    stored = await work.stored()
    url = f"/v1/job-outputs/{stored['pk']}"

    for _ in range(2):
        answer = await world.client.delete(url)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await work.shown() == []
    assert (await world.client.get(url)).json()["deletion_time"] is not None
    for _ in range(2):
        assert (await world.client.delete(f"{url}/reinstate")).json() == stored
    assert await work.shown() == [LOG]
    assert (await world.client.get(url)).json() == stored


async def test_an_output_cannot_come_back_when_its_name_was_taken(work: Work) -> None:
    first = await work.stored(b"one")
    await work.world.client.delete(work.url())
    await work.stored(b"two")

    answer = await work.world.client.delete(f"/v1/job-outputs/{first['pk']}/reinstate")

    assert code_of(answer) == (409, "output_exists")


async def test_a_hard_delete_removes_row_and_bytes_and_keeps_its_number(work: Work) -> None:
    body = unique("hard")
    stored = await work.stored(body)
    make_old(work.world.file_of(sha256(body)))
    url = f"/v1/job-outputs/{stored['pk']}"

    answer = await work.world.client.delete(f"{url}/hard")

    assert (answer.status_code, answer.json()["pk"]) == (200, stored["pk"])
    assert answer.json()["deletion_time"] is not None
    assert not work.world.file_of(sha256(body)).exists()
    for gone in (
        await work.world.client.get(url),
        await work.world.client.delete(url),
        await work.world.client.delete(f"{url}/hard"),
        await work.world.client.delete(f"{url}/reinstate"),
        await work.world.client.post(f"{url}/download"),
    ):
        assert code_of(gone) == (404, "not_found")


async def test_a_hard_delete_spares_bytes_that_another_output_has(world: World) -> None:
    body = unique("shared")
    one, other = await world.work(), await world.work()
    stored = await one.stored(body)
    kept = await other.stored(body)
    await world.client.delete(f"/v1/job-outputs/{kept['pk']}")
    make_old(world.file_of(sha256(body)))

    await world.client.delete(f"/v1/job-outputs/{stored['pk']}/hard")

    assert world.file_of(sha256(body)).exists()


async def test_a_hard_delete_spares_bytes_that_came_a_moment_ago(work: Work) -> None:
    body = unique("young")
    stored = await work.stored(body)

    await work.world.client.delete(f"/v1/job-outputs/{stored['pk']}/hard")

    assert work.world.file_of(sha256(body)).exists()


@pytest.mark.parametrize(
    ("body", "filename"),
    [
        (None, "log.Compressed<JSON, 8>"),
        ({}, "log.Compressed<JSON, 8>"),
        ({"params": {}}, "log.Compressed<JSON, 8>"),
        ({"filetype": "zip", "params": {"a": "b", "c": ["d"]}, "more": 1}, "log.zip"),
        ({"filetype": "../../x"}, "log..._.._x"),
    ],
)
async def test_a_download_by_number_has_its_type_as_its_ending(
    work: Work, body: Any, filename: str
) -> None:
    stored = await work.stored(b"0123456789")

    answer = await work.world.client.post(
        f"/v1/job-outputs/{stored['pk']}/download",
        json=body,
        headers={"Authorization": "Bearer viewer", "Range": "bytes=0-1"},
    )

    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert f'filename="{filename}"' in answer.headers["content-disposition"]


@pytest.mark.parametrize("body", [{"filetype": 1}, {"params": []}, {"params": {"a": 1}}, [], "x"])
async def test_a_download_by_number_refuses_wrong_kinds(work: Work, body: Any) -> None:
    stored = await work.stored()
    answer = await work.world.client.post(f"/v1/job-outputs/{stored['pk']}/download", json=body)
    assert code_of(answer) == (400, "invalid_input")


async def test_a_hidden_output_is_an_administrators_to_download(work: Work) -> None:
    stored = await work.stored(b"hidden")
    url = f"/v1/job-outputs/{stored['pk']}"
    await work.world.client.delete(url)

    as_admin = await work.world.client.post(f"{url}/download")
    as_user = await work.world.client.post(f"{url}/download", headers=work.headers)

    assert as_admin.content == b"hidden"
    assert code_of(as_user) == (404, "not_found")


async def test_nobody_creates_or_changes_outputs_by_number(work: Work) -> None:
    stored = await work.stored()
    client, url = work.world.client, f"/v1/job-outputs/{stored['pk']}"
    for answer in (
        await client.post("/v1/job-outputs/create", json={}),
        await client.put(url, json={}),
        await client.patch(url, json={}),
    ):
        assert code_of(answer) == (403, "forbidden")


@pytest.mark.parametrize("method", ["", "/hard", "/reinstate"])
async def test_only_an_administrator_changes_outputs_by_number(work: Work, method: str) -> None:
    stored = await work.stored()
    url = f"/v1/job-outputs/{stored['pk']}{method}"
    assert (await work.world.client.delete(url, headers=work.headers)).status_code == 403


# --- Leftovers ------------------------------------------------------------------------------------


async def test_the_sweep_removes_old_bytes_that_no_output_names_and_nothing_else(
    world: World,
) -> None:
    work = await world.work()
    named, hidden, lonely, young = (unique(str(n)) for n in range(4))
    await work.stored(named, ("named", "t"))
    await work.stored(hidden, ("hidden", "t"))
    await world.client.delete(work.url("hidden", "t"))
    for body in (lonely, young):
        await world.hub.store.receive(pieces(body), limit_bytes=None)
    for body in (named, hidden, lonely):
        make_old(world.file_of(sha256(body)))

    await Leftovers(world.hub.engine, world.hub.store).sweep()

    there = [world.file_of(sha256(body)).exists() for body in (named, hidden, lonely, young)]
    assert there == [True, True, False, True]
