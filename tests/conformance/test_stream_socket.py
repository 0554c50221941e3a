"""`hub.v1` over a real socket: subscriptions, cursors, filters, snapshots, and how it ends."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Event

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.conformance.foreign import Client, Json, World, good, world_on
from tests.conformance.hub_process import StartHub
from tests.conformance.stream_client import Stream, streaming

SHORT_ROW = {"pk", "seq", "tseq", "status", "progress_amount", "progress_data", "description"} | {
    *("labels", "creator", "template", "parent", "node", "attempt", "tries", "priority"),
    *("error_reason", "deleted", "created", "modified"),
}


# --- The handshake --------------------------------------------------------------------------------


def test_the_first_message_tells_what_holds(world: World) -> None:
    with streaming(world) as stream:
        hello = stream.hello
    assert hello["conn"]
    epoch = world.head().split(":")[1]
    assert hello == {
        "op": "hello",
        "v": 1,
        "conn": hello["conn"],
        "epoch": epoch,
        "heartbeat_ms": 15_000,
        "max_subs": 200,
        "max_frame": 65_536,
        "auth": "ok",
    }


def test_without_the_subprotocol_nothing_is_spoken(world: World) -> None:
    url, headers = f"{world.hub.socket_url}/v1/stream", world.viewer.headers
    with pytest.raises(InvalidStatus) as caught, connect(url, additional_headers=headers):
        pass
    assert caught.value.response.status_code == 400
    assert "hub.v1" in json.loads(caught.value.response.body)["detail"]


def test_who_has_no_token_says_in_the_first_message_who_it_is(world: World) -> None:
    with streaming(world, by=world.nobody) as stream:
        assert stream.hello["auth"] == "required"
        stream.say(op="ping", t=1)
        assert stream.hear()["t"] == 1
        stream.say(op="auth", token=world.viewer.token)
        said = stream.hear()
        assert said["op"] == "auth_ok"
        assert 0 < said["expires_in"] <= 3_600
        assert stream.subscribe("s", snapshot="never")["mode"] == "live"


def test_who_says_something_else_first_has_to_go(world: World) -> None:
    with streaming(world, by=world.nobody) as stream:
        assert stream.refusal(op="subscribe", id="s", topic="jobs")["code"] == "unauthenticated"
        assert stream.close_code() == 4101


def test_a_bad_token_ends_the_socket_even_where_a_good_one_opened_it(world: World) -> None:
    for by in (world.nobody, world.viewer):
        with streaming(world, by=by) as stream:
            stream.say(op="auth", token="no-token")
            assert stream.close_code() == 4101


def test_a_socket_does_not_change_hands(world: World) -> None:
    with streaming(world) as stream:
        stream.say(op="auth", token=world.viewer.token)
        assert stream.hear()["op"] == "auth_ok"
        stream.say(op="auth", token=world.stranger.token)
        assert stream.close_code() == 4003


# --- Subscribing ----------------------------------------------------------------------------------


def test_a_job_is_shown_as_it_stands_and_then_as_it_goes_on(world: World) -> None:
    job, node = world.running()
    good(node.progress(job, 0.25, {"step": 1}))
    with streaming(world) as stream:
        answer = stream.subscribe("one", "job", jobs=[job])
        (row,) = stream.snapshot("one")
        good(node.progress(job, 0.5, {"step": 2}))
        good(node.finish(job))
        progress, finish = stream.events("one", 2)

    assert (answer["mode"], answer["reset"]) == ("snapshot", None)
    assert row.keys() == SHORT_ROW
    assert (row["pk"], row["status"], row["progress_data"]) == (job, "RUNNING", {"step": 1})
    assert (progress["seq"], progress["tseq"]) == (row["seq"] + 1, row["tseq"])
    assert (progress["type"], progress["data"]) == ("job.progress", {"step": 2})
    assert (finish["seq"], finish["tseq"]) == (row["seq"] + 2, row["tseq"] + 1)
    assert finish["data"]["row"]["status"] == finish["to_status"] == "COMPLETED"
    assert (progress["skip"], finish["skip"]) == (0, 0)


def test_events_are_those_of_the_log(world: World) -> None:
    with streaming(world) as stream:
        stream.subscribe("all", progress="all", snapshot="never")
        job, node = world.running()
        good(node.progress(job, 0.5, {"text": 'Ä\n"quoted"', "skip": [{"skip": 7}]}))
        good(node.finish(job, "it broke"))
        told = [event for event in stream.events("all", 5) if event["job"] == job]

    for event in told:
        assert event.pop("skip") == 0
        event.pop("entered", None)
    assert told == world.events(job)


def test_many_jobs_are_followed_in_the_order_of_the_log(world: World) -> None:
    pairs = [world.running() for _ in range(3)]
    jobs = [job for job, _ in pairs]
    with streaming(world) as stream:
        stream.subscribe("some", "job", jobs=jobs[:2], progress="all")
        assert [row["pk"] for row in stream.snapshot("some")] == sorted(jobs[:2])
        for step in range(3):
            for job, node in pairs:
                good(node.progress(job, 0.5, {"step": step}))
        told = stream.events("some", 6)

    assert [event["job"] for event in told] == jobs[:2] * 3
    assert [event["g"] for event in told] == sorted(event["g"] for event in told)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"topic": "job"}, "bad_filter"),
        ({"topic": "job", "jobs": [2**40]}, "not_found"),
        ({"topic": "jobs", "jobs": [1]}, "bad_filter"),
        ({"topic": "jobs", "filter": {"template": ["no such thing"]}}, "bad_filter"),
        ({"topic": "jobs", "filter": {"creator": ["no such account"]}}, "bad_filter"),
        ({"topic": "jobs", "progress": "none", "filter": {"type": ["progress"]}}, "bad_filter"),
        ({"topic": "jobs", "cursor": "x"}, "bad_cursor"),
        ({"topic": "jobs", "cursor": "v1:aa:-1"}, "bad_cursor"),
        ({"topic": "workers", "cursor": "v1:aa:1"}, "bad_filter"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_costs_the_others_nothing(
    world: World, wish: Json, code: str
) -> None:
    job, node = world.running()
    with streaming(world) as stream:
        stream.subscribe("good", "job", jobs=[job], snapshot="never")
        refused = stream.refusal(op="subscribe", id="bad", **wish)
        assert (refused["id"], refused["code"]) == ("bad", code)
        assert refused["detail"]
        stream.subscribe("bad", "job", jobs=[job], snapshot="never")  # the name is free again
        good(node.progress(job, 0.5))
        assert stream.names("good", 1) == ["progress"]


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "[]",
        "{}",
        '{"op":"shout"}',
        '{"op":"subscribe","id":"s"}',
        '{"op":"subscribe","id":"s","topic":"jobs","more":1}',
        '{"op":"subscribe","id":"s","topic":"jobs","filter":{"status":["DONE"]}}',
        '{"op":"subscribe","id":"s","topic":"job","jobs":[0]}',
        '{"op":"subscribe","id":"two words","topic":"jobs"}',
        '{"op":"ping","t":"' + "x" * 20_000 + '"}',
        "[" * 10_000,
        b"\0\xff",
    ],
)
def test_what_is_no_message_ends_the_socket(world: World, message: str | bytes) -> None:
    with streaming(world) as stream:
        stream.connection.send(message)
        refused = stream.hear_error()
        assert (refused["code"], refused["id"]) == ("bad_message", None)
        assert stream.close_code() == 4000


def test_a_name_is_used_once_at_a_time(world: World) -> None:
    with streaming(world) as stream:
        stream.subscribe("s", snapshot="never")
        stream.say(op="unsubscribe", id="s")
        assert stream.hear_of("s", "end")["reason"] == "unsubscribed"
        assert stream.refusal(op="unsubscribe", id="s")["code"] == "not_found"
        stream.subscribe("s", snapshot="never")
        stream.say(op="subscribe", id="s", topic="jobs")
        assert stream.close_code() == 4009


def test_what_was_unsubscribed_is_told_no_more(world: World) -> None:
    job, node = world.running()
    with streaming(world) as stream:
        stream.subscribe("ends", "job", jobs=[job], snapshot="never")
        stream.subscribe("stays", "job", jobs=[job], snapshot="never")
        stream.say(op="unsubscribe", id="ends")
        stream.hear_of("ends", "end")
        good(node.progress(job, 0.5))
        assert stream.hear()["id"] == "stays"


def test_who_asks_too_much_is_told_so_and_then_closed(world: World) -> None:
    with streaming(world) as stream:
        with suppress(ConnectionClosed):  # it may be closed before the last is said
            for number in range(200):
                stream.say(op="ping", t=number)
        codes = set()
        message = stream.hear()
        while message["op"] in ("pong", "error"):
            codes.add(message.get("code"))
            try:
                message = stream.hear()
            except Exception:  # noqa: BLE001  # it was closed
                break
        assert "rate_limited" in codes


# --- Filters --------------------------------------------------------------------------------------


def test_a_filter_tells_when_a_job_begins_and_ceases_to_match(world: World) -> None:
    label = {"run": "entering"}
    with streaming(world) as stream:
        stream.subscribe(
            "running", filter={"status": ["RUNNING"], "label": label}, snapshot="never"
        )
        world.new_job()  # of another label
        job, node = world.new_job(labels=label), world.new_node()
        good(node.acquire(job))
        good(node.start(job))
        good(node.progress(job, 0.5))
        good(node.finish(job, "it broke"))
        good(node.reset(job))
        good(node.start(job))
        told = stream.events("running", 4)

    assert [event["transition"] for event in told] == ["start", "progress", "error", "start"]
    assert [event.get("entered", False) for event in told] == [True, False, False, True]
    assert [event.get("left", False) for event in told] == [False, False, True, False]


def test_a_filter_for_a_node_sees_what_it_takes_and_what_leaves_it(world: World) -> None:
    one, other = world.new_node(), world.new_node()
    with streaming(world) as stream:
        stream.subscribe("node", filter={"node": [one.node]}, snapshot="never")
        job = world.new_job()
        good(other.acquire(job))
        good(other.release(job))
        good(one.acquire(job))
        good(one.release(job))
        good(other.acquire(job))
        told = stream.events("node", 2)

    assert [event["transition"] for event in told] == ["acquire", "release"]
    assert [event.get("entered") for event in told] == [True, None]
    assert [event.get("left") for event in told] == [None, True]


def test_hidden_jobs_leave_and_come_back(world: World) -> None:
    label = {"run": "hidden"}
    with streaming(world) as stream:
        stream.subscribe("all", filter={"label": label}, snapshot="never")
        job = world.new_job(labels=label)
        assert world.admin.delete(f"/v1/jobs/{job}").status_code == 204
        good(world.admin.delete(f"/v1/jobs/{job}/reinstate"))
        told = stream.events("all", 3)

    assert [event["transition"] for event in told] == ["create", "destroy", "reinstate"]
    assert [event.get("left") for event in told] == [None, True, None]
    assert [event.get("entered") for event in told] == [True, None, True]


def test_filters_name_templates_accounts_and_kinds(world: World) -> None:
    label = {"run": "naming"}
    with streaming(world, by=world.creator) as stream:
        filters: dict[str, Json] = {
            "name": {"template": ["resize"], "label": label},
            "number": {"template": [world.template], "label": label},
            "me": {"creator": ["me"], "label": label},
            "username": {"creator": ["creator"], "label": label},
            "transitions": {"type": ["transition"], "label": label},
            "progress": {"type": ["progress"], "label": label},
        }
        for name, wanted in filters.items():
            stream.subscribe(
                name,
                filter=wanted,
                snapshot="never",
                progress="all" if name != "transitions" else "none",
            )
        stream.subscribe("stranger", filter={"creator": ["stranger"], "label": label})
        assert stream.snapshot("stranger") == []
        job, node = world.new_job(labels=label), world.new_node()
        good(node.acquire(job))
        good(node.start(job))
        good(node.progress(job, 0.5))
        good(node.finish(job))
        expected = ["create", "acquire", "start", "progress", "finish"]
        told: dict[str, list[str]] = {name: [] for name in filters}
        wanted_names = dict.fromkeys(filters, expected)
        wanted_names["transitions"] = [name for name in expected if name != "progress"]
        wanted_names["progress"] = ["progress"]
        while told != wanted_names:
            message = stream.hear()
            assert message["op"] == "events"
            told[message["id"]] += [event["transition"] for event in message["events"]]


# --- Snapshots and cursors ------------------------------------------------------------------------


def test_a_filter_begins_with_all_jobs_that_match(world: World) -> None:
    label = {"run": "snapshot"}
    jobs = [world.new_job(labels=label) for _ in range(230)]
    assert world.admin.delete(f"/v1/jobs/{jobs[0]}").status_code == 204
    with streaming(world) as stream:
        stream.subscribe("all", filter={"label": label, "status": ["QUEUED"]})
        rows = stream.snapshot("all")
        last = world.new_job(labels=label)
        told = stream.events("all", 1)

    assert [row["pk"] for row in rows] == jobs[1:]
    assert told[0]["job"] == last


def test_a_cursor_resumes_without_a_gap_and_without_a_repeat(world: World) -> None:
    job, node = world.running()
    with streaming(world) as stream:
        begun = stream.subscribe("s", "job", jobs=[job], progress="all", snapshot="never")
        for step in range(5):
            good(node.progress(job, 0.5, {"step": step}))
        told = stream.events("s", 5)

    def resumed(stream: Stream, cursor: str) -> list[Json]:
        answer = stream.subscribe("s", "job", jobs=[job], progress="all", cursor=cursor)
        assert (answer["mode"], answer["from"]) == ("resume", cursor)
        return stream.events("s", 5)

    with streaming(world) as stream:
        assert resumed(stream, begun["from"]) == told
        assert stream.place("s") == world.head()


def test_of_much_progress_the_newest_is_told_and_the_rest_is_counted(world: World) -> None:
    job, node = world.running()
    before = world.head()
    for step in range(20):
        good(node.progress(job, 0.5, {"step": step}))
    good(node.finish(job))
    with streaming(world) as stream:
        stream.subscribe("s", "job", jobs=[job], progress="latest", cursor=before)
        newest, finish = stream.events("s", 2)
        stream.subscribe("none", "job", jobs=[job], progress="none", cursor=before)
        (only,) = stream.events("none", 1)

    assert (newest["data"], newest["skip"]) == ({"step": 19}, 19)
    assert (finish["transition"], finish["skip"]) == ("finish", 0)
    assert only["transition"] == "finish"


def test_a_cursor_that_cannot_be_honoured_says_why_and_the_state_follows(world: World) -> None:
    job, _ = world.running()
    _, epoch, number = world.head().split(":")
    cursors = {
        f"v1:other{epoch}:1"[:40]: "epoch",
        f"v1:{epoch}:{int(number) + 1_000_000}": "cursor_ahead",
    }
    with streaming(world) as stream:
        for name, (cursor, reason) in enumerate(cursors.items()):
            answer = stream.subscribe(f"s{name}", "job", jobs=[job], cursor=cursor)
            assert (answer["mode"], answer["reset"]) == ("snapshot", reason)
            assert [row["pk"] for row in stream.snapshot(f"s{name}")] == [job]
            answer = stream.subscribe(
                f"n{name}", "job", jobs=[job], cursor=cursor, snapshot="never"
            )
            assert (answer["mode"], answer["reset"]) == ("live", reason)


def test_a_snapshot_can_be_had_with_a_cursor_too(world: World) -> None:
    job, _ = world.running()
    with streaming(world) as stream:
        answer = stream.subscribe("s", "job", jobs=[job], cursor=world.head(), snapshot="always")
        assert (answer["mode"], answer["reset"]) == ("snapshot", None)
        assert len(stream.snapshot("s")) == 1


def test_nothing_is_missed_between_snapshot_and_stream(world: World) -> None:
    job, node = world.running()
    is_enough = Event()

    def post() -> None:
        while not is_enough.is_set():
            good(node.progress(job, 0.5))

    with ThreadPoolExecutor(1) as pool, streaming(world) as stream, ending(is_enough):
        pool.submit(post)
        for number in range(9):  # two messages each, of twenty a second
            stream.subscribe(f"s{number}", "job", jobs=[job], progress="all")
            (row,) = stream.snapshot(f"s{number}")
            seen = row["seq"]
            while seen < row["seq"] + 2:
                for event in stream.hear_of(f"s{number}", "events")["events"]:
                    assert event["seq"] == seen + 1
                    seen = event["seq"]
            stream.say(op="unsubscribe", id=f"s{number}")
            while stream.hear()["op"] != "end":
                pass


@contextmanager
def ending(event: Event) -> Iterator[None]:
    """Set an event at the end, however that comes."""
    try:
        yield
    finally:
        event.set()


# --- One job --------------------------------------------------------------------------------------


def test_the_socket_of_a_job_speaks_it_too(world: World) -> None:
    job, node = world.running()
    with streaming(world, f"/v1/jobs/{job}") as stream:
        assert stream.hear_of("job", "subscribed")["mode"] == "snapshot"
        assert [row["pk"] for row in stream.snapshot("job")] == [job]
        good(node.progress(job, 0.5, {"step": 1}))
        assert stream.events("job", 1)[0]["data"] == {"step": 1}
        cursor = stream.place("job")
        other = world.new_job()
        refused = stream.refusal(op="subscribe", id="s", topic="job", jobs=[other])
        assert refused["code"] == "forbidden"

    good(node.progress(job, 0.5, {"step": 2}))
    with streaming(world, f"/v1/jobs/{job}?cursor={cursor}&progress=all") as stream:
        assert stream.hear_of("job", "subscribed")["mode"] == "resume"
        assert stream.events("job", 1)[0]["data"] == {"step": 2}


def test_a_job_that_is_not_there_has_no_socket(world: World) -> None:
    with pytest.raises(InvalidStatus) as caught, streaming(world, f"/v1/jobs/{2**40}"):
        pass
    assert caught.value.response.status_code == 404

    with streaming(world, f"/v1/jobs/{2**40}", by=world.nobody) as stream:
        stream.say(op="auth", token=world.viewer.token)
        assert stream.hear()["op"] == "auth_ok"
        assert stream.hear_error()["code"] == "not_found"
        assert stream.close_code() == 4004


# --- Nodes ----------------------------------------------------------------------------------------


def test_nodes_are_shown_and_then_what_changes(world: World) -> None:
    with streaming(world) as stream:
        assert stream.subscribe("w", "workers")["mode"] == "live"
        first = stream.hear_of("w", "workers")
        assert (first["n"], first["full"]) == (1, True)
        job, node = world.running()
        shown: dict[int, Json] = {}
        n = 1
        while shown.get(node.node or 0, {}).get("current_job") != job:
            diff = stream.hear_of("w", "workers")
            n += 1
            assert (diff["n"], diff["full"]) == (n, False)
            shown |= {worker["pk"]: worker for worker in diff["workers"]}


# --- Rights and ends ------------------------------------------------------------------------------


def test_a_token_that_is_revoked_ends_its_sockets(world: World) -> None:
    made = good(world.viewer.post("/v1/tokens", {"name": "watch"}), 201)
    holder = Client(world.http, made["token"])
    with streaming(world, by=holder) as stream:
        stream.subscribe("s", snapshot="never")
        assert world.viewer.delete(f"/v1/tokens/{made['pk']}").status_code == 204
        assert stream.hear_of("s", "end")["reason"] == "revoked"
        assert stream.close_code() in (4101, 4110)


def test_a_hub_that_stops_says_when_to_come_back(start_hub: StartHub) -> None:
    with start_hub() as hub, world_on(hub) as world, ExitStack() as stack:
        streams = [stack.enter_context(streaming(world)) for _ in range(10)]
        for stream in streams:
            stream.subscribe("s", snapshot="never")
        with ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(hub.stop)
            for stream in streams:
                notice = stream.hear()
                assert (notice["op"], notice["code"]) == ("notice", "drain")
                assert notice["retry_after_ms"] > 0
                assert stream.close_code() == 4300
            assert stopped.result() == 0
        assert hub.complaints() == []


def test_who_hangs_up_without_a_word_leaves_nothing_behind(world: World) -> None:
    job, node = world.running()
    for _ in range(20):
        with streaming(world) as stream:
            stream.subscribe("s", "job", jobs=[job])
            stream.connection.socket.shutdown(socket.SHUT_RDWR)
    with streaming(world) as stream:
        stream.subscribe("s", "job", jobs=[job], snapshot="never")
        good(node.progress(job, 0.5))
        assert stream.names("s", 1) == ["progress"]
