"""Streams over HTTP, from a real server to real sockets: live, resumed, filtered, cut and ended."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.live.event_stream import Pace
from hub.settings import load
from orm.queries import meta
from tests.event_source import EventSource, Message
from tests.integration.conftest import Caller, HubClient, as_node, running_hub
from tests.integration.listening import LINES, SSE, Listener, Served, served

Json = dict[str, Any]


@pytest.fixture
async def site(fresh_url: str, tmp_path: Path) -> AsyncIterator["Site"]:
    async with opened(fresh_url, tmp_path) as site:
        yield site


@asynccontextmanager
async def opened(url: str, data: Path, **settings: str) -> AsyncIterator["Site"]:
    named = {f"HUB_{name.upper()}": text for name, text in settings.items()}
    async with (
        running_hub(load(named, data=str(data), database_url=url)) as client,
        served(client) as listening,
    ):
        yield Site(client, listening)


class Site:
    """A hub that is listened to, and what happens at it."""

    def __init__(self, client: HubClient, served: Served) -> None:
        self.client = client
        self.served = served
        self.listening = served.listening
        self._numbers = itertools.count(1)

    async def running(self, **members: Any) -> tuple[int, "Worker"]:
        """Return a new job and the node that runs it."""
        number = next(self._numbers)
        if number == 1:
            await self.client.template()
        job = (await self.client.job("work", **members))["pk"]
        node = await self.client.node(ip=f"10.0.0.{number}")
        worker = Worker(self.client.user, node["pk"])
        await worker.do("GET", job, "acquire")
        await worker.do("POST", job, "start", {"send_notification": ""})
        return job, worker

    async def log(self, after: str = "") -> list[Json]:
        """Return all events behind a cursor."""
        items: list[Json] = []
        while True:
            query = f"?limit=1000&after={after}" if after else "?limit=1000"
            page = (await self.client.viewer.get(f"/v1/events{query}")).json()
            items += page["items"]
            after = page["cursor"]
            if after == page["head"]:
                return items

    async def head(self) -> str:
        now = await meta.clock(self.client.hub.engine)
        return f"v1:{now.epoch}:{now.gseq}"

    def pace(self, **seconds: float) -> None:
        """Let streams that begin from now on be in more of a hurry."""
        self.client.hub.streams._pace = Pace(**seconds)


class Worker:
    """A node that does what it is told."""

    def __init__(self, caller: Caller, node: int) -> None:
        self._caller = caller
        self._node = as_node(node)

    async def do(self, method: str, job: int, action: str, body: Json | None = None) -> None:
        path = f"/v1/jobs/{job}/{action}"
        answer = await self._caller.request(method, path, json=body, headers=self._node)
        assert answer.status_code == 200, answer.text

    async def report(self, job: int, amount: float = 0.5, body: Json | None = None) -> None:
        await self.do("POST", job, f"progress/{amount}", body or {})

    async def finish(self, job: int) -> None:
        await self.do("POST", job, "finish", {"success": True, "send_notification": ""})


def bare(event: Json) -> Json:
    """Return an event as the pages of the log show it."""
    return {name: value for name, value in event.items() if name not in OURS}


OURS = {"skip", "entered", "left", "cursor"}


def told(message: Message) -> Json:
    found: Json = json.loads(message.data)
    return found


async def story(site: Site) -> int:
    job, worker = await site.running()
    await worker.report(job, 0.25, {"step": 1})
    await worker.finish(job)
    return job


# --- What is told ---------------------------------------------------------------------------------


async def test_a_program_reads_every_event_on_a_line_of_its_own(site: Site) -> None:
    async with site.listening() as listener:
        await listener.head()
        job = await story(site)
        lines = await listener.read(5)

    assert listener.headers["content-type"] == LINES
    assert listener.headers["cache-control"] == "no-store, no-transform"
    assert listener.headers["x-accel-buffering"] == "no"
    assert [bare(line) for line in lines] == await site.log()
    assert {line["job"] for line in lines} == {job}
    assert [list(line)[-1] for line in lines] == ["cursor"] * 5
    assert [line["cursor"].rpartition(":")[2] for line in lines] == [
        str(line["g"]) for line in lines
    ]


async def test_a_browser_hears_every_event_by_its_name(site: Site) -> None:
    async with site.listening(accept=SSE) as listener:
        await listener.head()
        await story(site)
        messages = await listener.heard(5)

    assert listener.headers["content-type"] == SSE
    assert listener.source.retry_ms == 2_000
    assert [bare(told(message)) for message in messages] == await site.log()
    names = [*["job.transition"] * 3, "job.progress", "job.transition"]
    assert [message.name for message in messages] == names
    epoch = (await site.head()).rpartition(":")[0]
    assert [message.last_id for message in messages] == [f"{epoch}:{g}" for g in range(1, 6)]


@pytest.mark.parametrize("accept", [LINES, SSE])
async def test_the_stream_of_a_job_is_of_that_job_only(site: Site, accept: str) -> None:
    mine, worker = await site.running()
    async with site.listening(f"/v1/jobs/{mine}/events", accept) as listener:
        await listener.head()
        await story(site)
        await worker.report(mine)
        (event,) = await heard(listener, accept, 1)

    assert (event["job"], event["seq"]) == (mine, 4)


async def heard(
    listener: Listener, accept: str, count: int, *, but: str = "bookmark"
) -> list[Json]:
    if accept == LINES:
        return await listener.read(count, but=but)
    return [told(message) for message in await listener.heard(count, but=but)]


async def test_without_a_wish_a_job_is_still_paged_and_the_log_of_all_streamed(site: Site) -> None:
    job = await story(site)
    for accept in ("*/*", "application/json", "text/html", f"application/json, {SSE}, {LINES}", ""):
        answer = await site.client.viewer.get(
            f"/v1/jobs/{job}/events?limit=2&type=nothing", headers={"Accept": accept}
        )
        assert answer.headers["content-type"] == "application/json"
        assert len(answer.json()["items"]) == 2
        async with site.listening(accept=accept or "*/*") as listener:
            await listener.head()
            assert listener.headers["content-type"] == LINES


async def test_a_body_with_line_breaks_stays_on_its_line(site: Site) -> None:
    job, worker = await site.running()
    body = '{\n "a":\r\n[1,\r2],\t"b": "\\n \u2028 \u0085 \\r" }'
    async with site.listening() as lines, site.listening(accept=SSE) as events:
        await asyncio.gather(lines.head(), events.head())
        sent = await site.client.user.request(
            "POST",
            f"/v1/jobs/{job}/progress/0.5",
            content=body.encode(),
            headers={**worker._node, "Content-Type": "application/json"},
        )
        assert sent.status_code == 200
        (line,) = await lines.read(1)
        (message,) = await events.heard(1)

    assert line["data"] == told(message)["data"] == json.loads(body)


# --- Coming back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [LINES, SSE])
@pytest.mark.parametrize("how", ["Last_Event_ID", "cursor"])
async def test_who_is_cut_off_again_and_again_misses_nothing(
    site: Site, accept: str, how: str
) -> None:
    job, worker = await site.running()
    other, other_worker = await site.running()
    place = before = await site.head()
    chance = random.Random(7)
    seen: list[Json] = []

    async def report() -> None:
        for step in range(150):
            await worker.report(job, 0.5, {"step": step})
            await other_worker.report(other, 0.5)

    reporting = asyncio.create_task(report())
    while len(seen) < 300:
        query = f"?cursor={place if how == 'cursor' else before}"
        last = place if how == "Last_Event_ID" else ""
        path = f"/v1/events/stream{query}"
        async with site.listening(path, accept, Last_Event_ID=last) as listener:
            count = min(chance.randint(1, 40), 300 - len(seen))
            seen += await heard(listener, accept, count)
            epoch = place.rpartition(":")[0]
            place = f"{epoch}:{seen[-1]['g']}"
    await reporting

    assert [bare(event) for event in seen] == await site.log(before)


async def test_a_stream_goes_on_from_the_log_through_memory_to_what_happens(
    fresh_url: str, tmp_path: Path
) -> None:
    async with opened(fresh_url, tmp_path, ring_events="5") as site:
        before = await site.head()
        job, worker = await site.running()
        for step in range(20):
            await worker.report(job, 0.5, {"step": step})
        async with site.listening(f"/v1/jobs/{job}/events?cursor={before}") as listener:
            first = await listener.read(10)
            for step in range(20, 40):
                await worker.report(job, 0.5, {"step": step})
            rest = await listener.read(33)
        assert [bare(line) for line in first + rest] == await site.log()


GAPS = {"epoch": "v1:elsewhere:1", "cursor_ahead": "{epoch}:999999"}


@pytest.mark.parametrize("reason", GAPS)
@pytest.mark.parametrize("accept", [LINES, SSE])
async def test_a_place_that_is_gone_is_told_and_made_up_for(
    site: Site, reason: str, accept: str
) -> None:
    job, worker = await site.running(description="still here")
    epoch = (await site.head()).rpartition(":")[0]
    gone = GAPS[reason].format(epoch=epoch)
    async with site.listening(f"/v1/events/stream?cursor={gone}", accept) as listener:
        reset, snapshot = await heard(listener, accept, 2)
        await worker.report(job)
        (event,) = await heard(listener, accept, 1)

    assert reset == {"type": "reset", "reason": reason}
    assert (snapshot["type"], snapshot["part"], snapshot["last"]) == ("snapshot", 1, True)
    assert [(row["pk"], row["description"]) for row in snapshot["jobs"]] == [(job, "still here")]
    assert event["seq"] == snapshot["jobs"][0]["seq"] + 1
    assert list(snapshot) == ["type", "at", "part", "last", "jobs"]


async def test_a_log_that_was_shortened_is_told_as_expired(site: Site) -> None:
    before = await site.head()
    await story(site)
    async with site.client.hub.engine.transaction() as transaction:
        await transaction.fetch("UPDATE hub_meta SET floor = 2")
    async with site.listening(f"/v1/events/stream?cursor={before}") as listener:
        reset, _ = await listener.read(2)
    assert reset["reason"] == "expired"


async def test_a_script_may_have_an_error_instead(site: Site) -> None:
    job = await story(site)
    for path in ("/v1/events/stream", f"/v1/jobs/{job}/events"):
        async with site.listening(f"{path}?cursor=v1:else:1&on_gap=error", SSE) as listener:
            assert await listener.problem() == (410, "cursor_gone")


async def test_who_wants_no_snapshot_goes_on_from_now(site: Site) -> None:
    job, worker = await site.running()
    path = "/v1/events/stream?cursor=v1:else:1&snapshot=never"
    async with site.listening(path, SSE) as listener:
        (reset,) = await listener.heard(1)
        await worker.report(job)
        (event,) = await listener.heard(1)
    assert (reset.name, reset.last_id) == ("reset", "")
    assert told(event)["seq"] == 4


async def test_only_a_whole_snapshot_is_a_place_to_come_back_to(site: Site) -> None:
    for _ in range(3):
        job, worker = await site.running()
        await worker.report(job, 0.5, {"much": "x" * 40_000})
    async with site.listening("/v1/events/stream?snapshot=always", SSE) as listener:
        parts = await listener.heard(3)

    assert [told(part)["last"] for part in parts] == [False, False, True]
    assert [part.last_id for part in parts] == ["", "", told(parts[-1])["at"]]


async def test_a_stream_without_a_cursor_begins_with_a_place_or_with_the_state(site: Site) -> None:
    await story(site)
    head = await site.head()
    for path, names in (
        ("/v1/events/stream", ["bookmark"]),
        ("/v1/events/stream?snapshot=never", ["bookmark"]),
        ("/v1/events/stream?snapshot=auto", ["snapshot"]),
        ("/v1/events/stream?snapshot=always", ["snapshot"]),
        (f"/v1/events/stream?cursor={head}", ["bookmark"]),
    ):
        async with site.listening(path, SSE) as listener:
            messages = await listener.heard(1, but="")
        assert [message.name for message in messages] == names
        assert messages[0].last_id == head


# --- What is asked for ----------------------------------------------------------------------------


async def test_a_filter_tells_when_a_job_begins_and_ceases_to_match(site: Site) -> None:
    async with site.listening("/v1/events/stream?status=RUNNING,ACQUIRED") as listener:
        await listener.head()
        await story(site)
        lines = await listener.read(4)

    shown = [(one["transition"], one.get("entered"), one.get("left")) for one in lines]
    assert shown == [
        ("acquire", True, None),
        ("start", None, None),
        ("progress", None, None),
        ("finish", None, True),
    ]


async def test_what_does_not_match_is_not_told(site: Site) -> None:
    other, other_worker = await site.running(labels={"team": "two"})
    mine, worker = await site.running(labels={"team": "one", "round": "3"})
    paths = [
        "/v1/events/stream?label=team:one&label=round:3",
        f"/v1/events/stream?node={mine}&type=progress",
        "/v1/events/stream?label=team:one&template=work&creator=2&creator=ada",
        f"/v1/jobs/{mine}/events?type=progress",
    ]
    for path in paths:
        async with site.listening(path) as listener:
            await listener.head()
            await other_worker.report(other)
            await worker.report(mine)
            await other_worker.report(other)
            await worker.report(mine)
            lines = await listener.read(2)
        assert [line["job"] for line in lines] == [mine, mine]


async def test_of_the_progress_none_is_told_or_the_newest(site: Site) -> None:
    job, worker = await site.running()
    before = await site.head()
    for step in range(10):
        await worker.report(job, 0.5, {"step": step})
    await worker.finish(job)
    paths = {mode: f"/v1/jobs/{job}/events?cursor={before}&progress={mode}" for mode in MODES}
    for mode, expected in MODES.items():
        async with site.listening(paths[mode]) as listener:
            lines = await listener.read(len(expected))
        assert [(line["transition"], line["skip"]) for line in lines] == expected


MODES = {
    "none": [("finish", 0)],
    "latest": [("progress", 9), ("finish", 0)],
    "all": [*[("progress", 0)] * 10, ("finish", 0)],
}

REFUSED = {
    "?nothing=1": "invalid_input",
    "?status=ASLEEP": "invalid_input",
    "?status=": "invalid_input",
    "?type=output": "invalid_input",
    "?node=0": "invalid_input",
    "?node=x": "invalid_input",
    "?parent=99999999999999999999": "invalid_input",
    "?label=team": "invalid_input",
    "?label=team:one&label=team:two": "invalid_input",
    "?creator=nobody": "bad_filter",
    "?template=nothing": "bad_filter",
    "?progress=some": "invalid_input",
    "?progress=all&progress=none": "invalid_input",
    "?progress=none&type=progress": "invalid_input",
    "?snapshot=maybe": "invalid_input",
    "?on_gap=cry": "invalid_input",
    "?cursor=": "bad_cursor",
    "?cursor=v1:x": "bad_cursor",
    "?cursor=v1:x&on_gap=error": "bad_cursor",
    "?cursor=v1:x:1&cursor=v1:x:2": "invalid_input",
    "?after=v1:x:1": "invalid_input",
    "?" + "&".join(f"node={number}" for number in range(1, 99)): "invalid_input",
}


async def test_what_cannot_be_asked_for_is_refused_before_anything_is_sent(site: Site) -> None:
    found = {}
    for query in REFUSED:
        async with site.listening(f"/v1/events/stream{query}", SSE) as listener:
            found[query] = await listener.problem()
    assert found == {query: (400, code) for query, code in REFUSED.items()}
    await site.served.emptied()
    assert site.client.hub.feed._streams == {}


async def test_some_jobs_can_be_named(site: Site) -> None:
    mine, worker = await site.running()
    other, other_worker = await site.running()
    async with site.listening(f"/v1/events/stream?job={mine}&job={mine}&type=progress") as listener:
        await listener.read(1, but="")
        for job, by in ((other, other_worker), (mine, worker)):
            await by.do("POST", job, "progress/0.5", {})
        (event,) = await listener.read(1)
        assert event["job"] == mine
    for query in ("job=0", "job=x", f"job={mine}&status=RUNNING", f"job={2**40}"):
        async with site.listening(f"/v1/events/stream?{query}") as listener:
            status, _ = await listener.problem()
            assert status == (404 if str(2**40) in query else 400)


async def test_a_stream_of_a_job_takes_no_filter_of_jobs(site: Site) -> None:
    job = await story(site)
    for query in ("status=RUNNING", "limit=5", "after=v1:x:1"):
        async with site.listening(f"/v1/jobs/{job}/events?{query}", SSE) as listener:
            assert await listener.problem() == (400, "invalid_input")
    async with site.listening("/v1/jobs/999/events", SSE) as listener:
        assert await listener.problem() == (404, "not_found")


@pytest.mark.parametrize(
    ("place", "code"), [("nothing", "bad_cursor"), ("\xe4", "bad_cursor"), ("v1:x:y", "bad_cursor")]
)
async def test_a_last_event_id_that_is_no_cursor_is_refused(
    site: Site, place: str, code: str
) -> None:
    async with site.listening(accept=SSE, Last_Event_ID=place) as listener:
        assert await listener.problem() == (400, code)


async def test_an_empty_last_event_id_is_none(site: Site) -> None:
    async with site.listening(accept=SSE, Last_Event_ID="") as listener:
        (first,) = await listener.heard(1, but="")
    assert first.name == "bookmark"


async def test_only_who_signed_in_may_listen(site: Site) -> None:
    for path in ("/v1/events/stream", "/v1/jobs/1/events"):
        async with site.listening(path, SSE, token="nobody") as listener:
            assert await listener.problem() == (401, "token_not_valid")


async def test_other_methods_are_answered_as_elsewhere(site: Site) -> None:
    url = f"http://127.0.0.1:{site.served.address[1]}"
    bearer = {"Authorization": "Bearer vic"}
    async with httpx.AsyncClient(base_url=url, headers=bearer, trust_env=False) as client:
        for method, status in (("HEAD", 405), ("POST", 405), ("OPTIONS", 204)):
            answer = await client.request(method, "/v1/events/stream")
            assert (method, answer.status_code) == (method, status)


# --- Signs of life --------------------------------------------------------------------------------


async def test_a_silent_stream_shows_that_it_lives_and_moves_its_place(site: Site) -> None:
    site.pace(heartbeat_s=0.05, bookmark_s=0.3)
    job, worker = await site.running()
    async with site.listening("/v1/events/stream?status=PENDING", SSE) as listener:
        first, second = await listener.heard(2, but="")
        assert len(listener.source.comments) >= 3
        for _ in range(5):
            await worker.report(job)
        (later,) = await listener.heard(1, but="")

    assert {first.name, second.name, later.name} == {"bookmark"}
    assert set(listener.source.comments) == {" hb"}
    assert first.last_id == second.last_id != later.last_id == await site.head()


async def test_on_lines_every_sign_of_life_is_a_bookmark(site: Site) -> None:
    site.pace(heartbeat_s=0.05)
    async with site.listening() as listener:
        lines = await listener.read(4, but="")
    assert lines == [{"type": "bookmark", "cursor": await site.head()}] * 4


async def test_who_comes_back_to_a_bookmark_misses_nothing(site: Site) -> None:
    site.pace(heartbeat_s=0.02, bookmark_s=0.02)
    job, worker = await site.running()
    async with site.listening("/v1/events/stream?status=COMPLETED", SSE) as listener:
        await worker.report(job)
        await listener.heard(3, but="")
        place = listener.source.last_id
    await worker.finish(job)
    path = "/v1/events/stream?status=COMPLETED"
    async with site.listening(path, SSE, Last_Event_ID=place) as listener:
        (message,) = await listener.heard(1)
    assert (told(message)["transition"], told(message)["entered"]) == ("finish", True)


# --- The end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [LINES, SSE])
async def test_a_listener_that_leaves_is_forgotten(site: Site, accept: str) -> None:
    async with site.listening(accept=accept) as listener:
        await listener.head()
        assert len(site.client.hub.sockets) == 1
    await site.served.emptied()
    assert site.client.hub.feed._streams == {}


async def test_a_listener_that_only_says_that_it_says_no_more_is_forgotten(site: Site) -> None:
    async with site.listening() as listener:
        await listener.head()
        listener.writer.write_eof()
        await site.served.emptied()


async def test_a_token_that_is_revoked_ends_its_streams(site: Site) -> None:
    made = (await site.client.viewer.post("/v1/tokens", json={"name": "tail"})).json()
    async with (
        site.listening(accept=SSE, token=made["token"]) as listener,
        site.listening() as other,
    ):
        await asyncio.gather(listener.head(), other.head())
        await site.client.viewer.delete(f"/v1/tokens/{made['pk']}")
        async with asyncio.timeout(5):
            await listener.rest()
        assert listener.has_ended
        await site.served.emptied(to=1)
        assert len(site.client.hub.sockets) == 1


async def test_a_hub_that_stops_ends_its_streams_properly(site: Site) -> None:
    async with site.listening(accept=SSE) as events, site.listening() as lines:
        await asyncio.gather(events.head(), lines.head())
        await asyncio.gather(events.heard(1, but=""), lines.read(1, but=""))
        site.client.hub.sockets.drain(0.0)
        said = await events.rest()
        await lines.rest()
        assert events.has_ended
        assert lines.has_ended
        async with asyncio.timeout(1):
            await site.client.hub.sockets.drained(1)
        async with site.listening() as late:
            assert await late.problem() == (503, "unavailable")

    ear = EventSource()
    ear.feed(said)
    assert ear.retry_ms is not None
    assert 2_000 <= ear.retry_ms <= 5_000


async def test_streams_count_among_the_open_sockets(fresh_url: str, tmp_path: Path) -> None:
    async with opened(fresh_url, tmp_path, max_sockets="1") as site:
        async with site.listening() as listener:
            await listener.head()
            async with site.listening() as other:
                assert await other.problem() == (503, "unavailable")
        await site.served.emptied()
        async with site.listening() as other:
            assert await other.head() == 200


async def test_a_listener_that_takes_nothing_is_cut_off_and_costs_little(site: Site) -> None:
    site.pace(stall_s=1.0)
    job, worker = await site.running()
    most = 0
    async with site.listening() as listener, site.listening(receive_bytes=4_096) as stalled:
        await asyncio.gather(listener.head(), stalled.head())
        for step in range(60):
            await worker.report(job, 0.5, {"step": step, "much": "x" * 100_000})
            most = max(most, site.served.unsent_bytes())
            (line,) = await listener.read(1)
            assert line["data"]["step"] == step
        await site.served.emptied(to=1)
        assert site.served.unsent_bytes() == 0
        assert not stalled.has_ended
        assert most < 400_000
        await worker.report(job, 0.5, {"step": "last"})
        (line,) = await listener.read(1)
        assert line["data"]["step"] == "last"


@pytest.mark.parametrize("on_gap", ["reset", "error"])
async def test_a_log_that_is_shortened_under_a_listener_is_told_too(
    fresh_url: str, tmp_path: Path, on_gap: str
) -> None:
    async with opened(fresh_url, tmp_path, ring_events="5") as site:
        site.pace(breath_s=1.0)
        before = await site.head()
        job, worker = await site.running()
        for step in range(300):
            await worker.report(job, 0.5, {"step": step})
        path = f"/v1/jobs/{job}/events?cursor={before}&on_gap={on_gap}"
        async with site.listening(path, SSE) as listener:
            await listener.heard(1)  # of about 200 that go along, then the hub takes a breath
            async with site.client.hub.engine.transaction() as transaction:
                await transaction.fetch("UPDATE hub_meta SET floor = 298")
            if on_gap == "error":
                await listener.rest()
                assert listener.has_ended
                return
            reset = await listener.until("reset")
            (snapshot,) = await listener.heard(1)
            await worker.report(job)
            (event,) = await listener.heard(1)

    assert told(reset) == {"type": "reset", "reason": "expired"}
    assert told(snapshot)["jobs"][0]["seq"] == 303
    assert told(event)["seq"] == 304
