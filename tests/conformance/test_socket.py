"""The plain job socket: what a watcher of one job is told, and when."""

import json
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conformance.foreign import Client, Json, World, good, world_on
from tests.conformance.hub_process import StartHub
from tests.frame_schemas import told

LIMIT_S = 5.0
OURS = ("seq", "tseq", "cursor")


class Watcher:
    """One open socket; it reads message by message."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def text(self) -> str:
        """Return the next message as it came."""
        message = self.connection.recv(timeout=LIMIT_S)
        assert isinstance(message, str)
        told(message)
        return message

    def message(self) -> Json:
        """Return the next message."""
        return json.loads(self.text())

    def names(self, count: int) -> list[str]:
        """Return the transitions of the next messages."""
        return [self.message()["transition"] for _ in range(count)]

    def is_open(self) -> bool:
        """Say whether the hub still answers here."""
        return self.connection.ping().wait(LIMIT_S)


@contextmanager
def watching(
    world: World, job: int | str, query: str = "", *, by: Client | None = None
) -> Iterator[Watcher]:
    """Watch a job, by default as the viewer."""
    url = f"{world.hub.socket_url}/v1/jobs/{job}{query}"
    said = (by or world.viewer).headers
    with connect(url, additional_headers=said, proxy=None, open_timeout=LIMIT_S) as connection:
        yield Watcher(connection)


def refusal(
    world: World, job: int | str, query: str = "", *, by: Client | None = None
) -> tuple[int, Json]:
    """Return the status and the error of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught, watching(world, job, query, by=by):
        pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    said = json.loads(response.body)
    assert said["status"] == response.status_code
    return response.status_code, said["code"]


# --- The handshake --------------------------------------------------------------------------------


def test_a_watcher_without_a_token_is_refused(world: World) -> None:
    job = world.new_job()

    assert refusal(world, job, by=world.nobody) == (401, "not_authenticated")


def test_a_watcher_with_a_bad_token_is_refused(world: World) -> None:
    job, bad = world.new_job(), Client(world.http, "no-token")

    assert refusal(world, job, by=bad) == (401, "token_not_valid")


def test_a_token_in_the_address_is_no_token(world: World) -> None:
    job, token = world.new_job(), world.viewer.token

    assert refusal(world, job, f"?token={token}&access_token={token}", by=world.nobody)[0] == 401


@pytest.mark.parametrize("job", [2**40, 0, 2**63, 2**64, "9" * 200, "x", "1/nothing", "list"])
def test_a_job_that_is_not_there_cannot_be_watched(world: World, job: int | str) -> None:
    assert refusal(world, job) == (404, "not_found")


def test_a_bad_cursor_is_refused_before_the_handshake(world: World) -> None:
    job = world.new_job()
    _, epoch, number = world.head().split(":")

    assert refusal(world, job, "?cursor=x")[0] == 400
    assert refusal(world, job, f"?cursor=v1:other{epoch}:1") == (410, "cursor_gone")
    assert refusal(world, job, f"?cursor=v1:{epoch}:{int(number) + 999}") == (410, "cursor_gone")


def test_a_handshake_that_is_refused_is_no_fault_of_the_hub(world: World) -> None:
    before = world.hub.complaints("uvicorn")
    refusal(world, world.new_job(), by=world.nobody)

    good(world.admin.get("/health/live"))

    assert world.hub.complaints("uvicorn") == before


# --- The first message ----------------------------------------------------------------------------


def test_of_a_job_that_was_not_started_nothing_is_told_first(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    with watching(world, job) as early:
        good(node.acquire(job))
        with watching(world, job) as late:
            good(node.start(job))

            assert early.names(2) == ["acquire", "start"]
            assert late.names(1) == ["start"]


def test_a_running_job_is_told_as_progress(world: World) -> None:
    job, node = world.running()
    good(node.progress(job, 0.25, {"step": 1}))

    with watching(world, job) as watcher:
        first = watcher.message()

    assert (first["transition"], first["progress"], first["node"]) == ("progress", 0.25, node.node)
    assert first["transition_data"] == {}


def test_what_has_ended_is_told_by_how_it_ended(world: World) -> None:
    finished, node = world.running()
    good(node.progress(finished, 0.5))
    good(node.finish(finished))
    failed, node = world.running()
    good(node.finish(failed, "it broke"))
    canceled = world.new_job()
    good(world.creator.cancel(canceled))

    with (
        watching(world, finished) as of_finished,
        watching(world, failed) as of_failed,
        watching(world, canceled) as of_canceled,
    ):
        finish, error, cancel = (w.message() for w in (of_finished, of_failed, of_canceled))

    assert (finish["transition"], finish["progress"]) == ("finish", 0.5)
    assert (error["transition"], error["error"]) == ("error", "it broke")
    assert (cancel["transition"], cancel["cancelled"]) == ("cancel", True)
    assert [one["cancelled"] for one in (finish, error)] == [False, False]
    assert [one["transition_data"] for one in (finish, error, cancel)] == [{}, {}, {}]
    assert "node" not in cancel
    assert all("error" not in one for one in (finish, cancel))


def test_the_first_message_is_the_same_whether_the_hub_remembers_the_job_or_not(
    start_hub: StartHub,
) -> None:
    with start_hub(HUB_RING_EVENTS="1") as hub, world_on(hub) as world:
        for end in (ending, failing, canceling, reporting):
            job, node = world.running()
            end(world, job, node)
            good(world.admin.patch(f"/v1/jobs/{job}", {"description": "told anew"}))
            remembered = first_of(world, job)
            world.new_job()  # its event takes the place of the last one of the job
            stored = first_of(world, job)

            assert remembered.pop("cursor") != stored.pop("cursor")
            assert remembered == stored
            assert stored["description"] == "told anew"


def ending(_: World, job: int, node: Client) -> None:
    good(node.progress(job, 0.5))
    good(node.finish(job))


def failing(_: World, job: int, node: Client) -> None:
    good(node.finish(job, "it broke"))


def canceling(world: World, job: int, _: Client) -> None:
    good(world.creator.cancel(job))


def reporting(_: World, job: int, node: Client) -> None:
    good(node.progress(job, 0.25, {"step": 1}))


def first_of(world: World, job: int) -> Json:
    """Return the first message for a watcher who comes now."""
    with watching(world, job) as watcher:
        return watcher.message()


def test_a_job_that_was_just_removed_for_good_cannot_be_watched(world: World) -> None:
    job = world.new_job()
    good(world.admin.delete(f"/v1/jobs/{job}/hard"))

    assert refusal(world, job) == (404, "not_found")


def test_a_job_that_was_just_hidden_can_still_be_watched(world: World) -> None:
    job = world.new_job()
    good(world.creator.cancel(job))
    assert world.admin.delete(f"/v1/jobs/{job}").status_code == 204

    assert first_of(world, job)["transition"] == "cancel"


def test_the_first_message_is_for_the_new_watcher_alone(world: World) -> None:
    job, node = world.running()
    with watching(world, job) as first:
        assert first.names(1) == ["progress"]
        with watching(world, job) as second:
            assert second.names(1) == ["progress"]
            good(node.progress(job, 0.5, {"step": 1}))

            assert first.message()["transition_data"] == {"step": 1}
            assert second.message()["transition_data"] == {"step": 1}


# --- The messages ---------------------------------------------------------------------------------


def test_all_nine_transitions_are_told_once_and_in_order(world: World) -> None:
    job, node = world.new_job(description="tell me"), world.new_node()
    with watching(world, job) as watcher:
        for call in (
            *(node.acquire, node.release, node.acquire, node.start),
            lambda job: node.progress(job, 0.5, {"step": 1}),
            lambda job: node.finish(job, "it broke"),
            *(node.reset, node.start, world.admin.abort, world.creator.cancel),
        ):
            good(call(job))
        told = [watcher.message() for _ in range(10)]

    acquire, release, _, start, progress, _, reset, _, abort, cancel = told
    assert [one["transition"] for one in told] == [
        *("acquire", "release", "acquire", "start", "progress", "error", "reset", "start"),
        *("abort", "cancel"),
    ]
    assert all(one["pk"] == job and one["description"] == "tell me" for one in told)
    assert [one.get("node") for one in told] == [
        *(node.node, None, node.node, node.node, node.node, node.node, node.node, node.node),
        *(None, None),
    ]
    assert "node" not in release
    assert "node" not in abort
    assert [one["progress"] for one in told] == [0, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0]
    assert [one["cancelled"] for one in told] == [*[False] * 9, True]
    assert [one.get("error") for one in told] == [*[None] * 5, "it broke", *[None] * 4]
    assert progress["transition_data"] == {"step": 1}
    assert acquire["transition_data"] == start["transition_data"] == {}
    assert all("error" not in one for one in (reset, cancel))


def test_finish_tells_the_progress_that_was_reported_last(world: World) -> None:
    job, node = world.running()
    with watching(world, job) as watcher:
        watcher.message()
        good(node.progress(job, 0.5))
        good(node.finish(job))

        assert [watcher.message()["progress"] for _ in range(2)] == [0.5, 0.5]


def test_the_members_stand_in_the_order_of_the_documents(world: World) -> None:
    job, node = world.new_job(), world.new_node()
    free = ["transition", "description", "pk", "progress", "cancelled", "transition_data"]
    held = [*free[:-1], "node", "transition_data"]
    failed = [*held[:-1], "error", "transition_data"]
    with watching(world, job) as watcher, watching(world, job, "?strict=1") as strict:
        for call in (node.acquire, node.release, node.acquire, node.start):
            good(call(job))
        good(node.progress(job, 0.5, {"step": 1}))
        good(node.finish(job, "it broke"))
        shapes = [free if n == 1 else held for n in range(5)] + [failed]

        assert [list(watcher.message()) for _ in shapes] == [[*one, *OURS] for one in shapes]
        assert [list(strict.message()) for _ in shapes] == shapes
    with watching(world, job) as late, watching(world, job, "?strict=1") as late_and_strict:
        assert list(late.message()) == [*failed, *OURS]
        assert list(late_and_strict.message()) == failed


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"comment":"Größe 5 µm \u2028 \U0001f600 \\u00e9 \\ud83d\\ude00"}',
        '{"exact":12345678901234567890123,"small":1e-7,"one":1.0,"ten":1E1,"minus":-0.0}',
        '{ "spaces" :\t[ 1 , 2 ] ,\n"deep":{"a":{"b":{"c":[[[{}]]]}}} }',
        '{"node":1,"progress":"x","self":null,"pk":0,"transition":"finish","__proto__":{}}',
        '{"twice":1,"twice":2}',
        '{"long":"' + "x" * 60_000 + '"}',
    ],
    ids=["empty", "unicode", "numbers", "spaces", "names", "twice", "long"],
)
def test_a_workers_body_reaches_the_watcher_untouched(world: World, body: str) -> None:
    job, node = world.running()
    typed = {"Content-Type": "application/json"}
    with watching(world, job, "?strict=1") as watcher:
        watcher.message()
        path = f"/v1/jobs/{job}/progress/0.5"
        good(node.ask("POST", path, content=body.encode(), headers=typed))

        assert watcher.text().endswith(f'"transition_data":{body}}}')


def test_a_progress_without_a_body_is_told_with_an_empty_one(world: World) -> None:
    job, node = world.running()
    with watching(world, job) as watcher:
        watcher.message()
        good(node.progress(job, 0.5))

        assert watcher.message()["transition_data"] == {}


def test_of_five_hundred_quick_reports_none_is_lost(world: World) -> None:
    job, node = world.running()

    def report(counter: int) -> None:
        good(node.progress(job, round(counter / 500, 3), {"counter": counter}))

    with watching(world, job) as watcher, watching(world, job) as other:
        first = watcher.message()
        other.message()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(report, range(500)))
        told = [watcher.message() for _ in range(500)]

        assert {one["transition_data"]["counter"] for one in told} == set(range(500))
        assert [one["seq"] for one in told] == list(range(first["seq"] + 1, first["seq"] + 501))
        assert {one["tseq"] for one in told} == {first["tseq"]}
        assert [other.message() for _ in range(500)] == told


# --- Coming back ----------------------------------------------------------------------------------


def test_a_cursor_replays_what_came_after_it(world: World) -> None:
    job, node = world.running()
    with watching(world, job) as watcher:
        cursor = watcher.message()["cursor"]
        for step in range(3):
            good(node.progress(job, 0.5, {"step": step}))
        told = [watcher.message() for _ in range(3)]

    for position, rest in enumerate([told, told[1:], told[2:]]):
        with watching(world, job, f"?cursor={cursor}") as late:
            assert [late.message() for _ in rest] == rest
            good(node.progress(job, 0.5, {"step": "live"}))
            told.append(late.message())
            assert told[-1]["transition_data"] == {"step": "live"}
        cursor = told[position]["cursor"]
        rest.append(told[-1])


def test_a_cursor_from_before_the_job_replays_its_whole_story(world: World) -> None:
    before = world.head()
    job, node = world.running()
    good(node.finish(job))
    good(world.admin.patch(f"/v1/jobs/{job}", {"description": "not told here"}))

    with watching(world, job, f"?cursor={before}") as watcher:
        assert watcher.names(3) == ["acquire", "start", "finish"]


# --- Staying --------------------------------------------------------------------------------------


def test_the_hub_does_not_close_after_the_end(world: World) -> None:
    job, node = world.running()
    with watching(world, job) as watcher:
        good(node.finish(job, "it broke"))
        assert watcher.names(2) == ["progress", "error"]

        assert watcher.is_open()
        good(node.reset(job))
        good(node.start(job))
        good(node.finish(job))
        assert watcher.names(3) == ["reset", "start", "finish"]
        assert watcher.is_open()


def test_what_a_watcher_says_is_ignored(world: World) -> None:
    job, node = world.running()
    with watching(world, job) as watcher:
        watcher.message()
        for said in ("", "no json", '{"op": "subscribe"}', b"\0\xff", "x" * 10_000):
            watcher.connection.send(said)
        good(node.progress(job, 0.5, {"step": 1}))

        assert watcher.message()["transition_data"] == {"step": 1}
        assert watcher.is_open()


def test_a_watcher_hears_only_of_its_own_job(world: World) -> None:
    mine, node = world.running()
    other, other_node = world.running()
    with watching(world, mine) as watcher:
        watcher.message()
        good(other_node.progress(other, 0.5))
        good(node.progress(mine, 0.5))

        assert watcher.message()["pk"] == mine


def test_watchers_that_left_leave_nothing_behind(world: World) -> None:
    job, node = world.running()
    for _ in range(30):
        with watching(world, job) as watcher:
            watcher.message()
    with watching(world, job) as last:
        last.message()
        good(node.progress(job, 0.5))

        assert last.message()["transition"] == "progress"


# --- Hubs of their own ----------------------------------------------------------------------------


def test_where_anybody_may_watch_only_this_route_is_open(start_hub: StartHub) -> None:
    with start_hub(HUB_ANONYMOUS_WATCH="1") as hub, world_on(hub) as world:
        job, node = world.running()
        with watching(world, job, by=world.nobody) as watcher:
            assert watcher.names(1) == ["progress"]
            good(node.progress(job, 0.5, {"step": 1}))
            assert watcher.message()["transition_data"] == {"step": 1}

        bad = Client(world.http, "no-token")
        assert refusal(world, job, by=bad) == (401, "token_not_valid")
        for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/events", "/v1/events", "/v1/jobs"):
            assert world.nobody.get(path).status_code == 401
        assert refusal(world, f"{job}/events", by=world.nobody)[0] in (401, 404)
        assert hub.stop() == 0


def test_a_hub_that_stops_closes_its_sockets_and_ends_in_time(start_hub: StartHub) -> None:
    with start_hub() as hub, world_on(hub) as world, ExitStack() as stack:
        job, _ = world.running()
        watchers = [stack.enter_context(watching(world, job)) for _ in range(20)]
        assert [watcher.names(1) for watcher in watchers] == [["progress"]] * 20

        assert hub.stop() == 0

        assert hub.complaints() == []
        assert [close_code(watcher) for watcher in watchers] == [1012] * 20


def close_code(watcher: Watcher) -> int | None:
    """Return the code with which the hub closed, ``None`` when it did not say one."""
    with pytest.raises(ConnectionClosed) as caught:
        watcher.connection.recv(timeout=LIMIT_S)
    return caught.value.rcvd.code if caught.value.rcvd else None


def test_a_watcher_that_leaves_during_its_handshake_is_no_fault_of_the_hub(world: World) -> None:
    job = world.new_job()
    before = [*world.hub.complaints(), *world.hub.complaints("uvicorn")]
    request = (
        f"GET /v1/jobs/{job} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Authorization: Bearer {world.viewer.token}\r\n\r\n"
    ).encode()
    reset = struct.pack("ii", 1, 0)
    for _ in range(100):
        with socket.create_connection(world.hub.address, LIMIT_S) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            peer.sendall(request)

    with watching(world, job) as later:
        assert later.is_open()
    assert [*world.hub.complaints(), *world.hub.complaints("uvicorn")] == before
