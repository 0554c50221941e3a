import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from channels.protocol import client_session
from channels.protocol.frames import (
    Auth,
    AuthOk,
    Bookmark,
    End,
    Error,
    Event,
    Events,
    Filter,
    Notice,
    ServerFrame,
    Snapshot,
    Subscribe,
    Subscribed,
)
from channels.protocol.orders import Apply, Forget, Swap
from hub.client import follower, page_link
from hub.client.address import Address
from hub.client.blocking import BlockingFollower
from hub.client.cursors import FileCursor, MemoryCursor
from hub.client.errors import BadAddress, Refused, SignedOut
from hub.client.follower import Follower, News
from tests.scripted_hub import (
    HttpScene,
    Request,
    Scene,
    ScriptedHub,
    Socket,
    answer,
    begin_lines,
    line,
)

WISH = Subscribe(id="main", topic="jobs", snapshot="never")
LIMIT_S = 20.0


@pytest.fixture
async def hub() -> AsyncIterator[ScriptedHub]:
    async with ScriptedHub() as hub:
        yield hub
        assert hub.errors == []


def event(number: int) -> Event:
    """Return the event of job 1 that is the ``number``-th of the log and of the job."""
    return Event(
        g=number,
        job=1,
        seq=number,
        tseq=number,
        skip=0,
        type="job.transition",
        transition="x",
        from_status=None,
        to_status=None,
        time="",
        attempt=1,
        node=None,
        progress_amount=0.0,
        n=1,
        data=None,
    )


def events(first: int, last: int) -> Events:
    shown = [event(number) for number in range(first, last + 1)]
    return Events(id="main", from_=f"c{first - 1}", to=f"c{last}", events=shown)


def subscribed(mode: Any, at: int, **rest: Any) -> Subscribed:
    place = f"c{at}"
    return Subscribed(id="main", mode=mode, from_=place, head=place, retained_from="c0", **rest)


def play(*frames: ServerFrame, close: int | None = None, expect: str | None = None) -> Scene:
    """Return a scene: greet, check the cursor, tell, and close or wait for the client to leave."""

    async def scene(socket: Socket) -> None:
        assert (await socket.greet()).cursor == expect
        await socket.tell(*frames)
        if close is not None:
            await socket.close(close, "scripted")
        with suppress(TimeoutError):
            await socket.closed()

    return scene


def following(hub: ScriptedHub, wish: Subscribe = WISH, **named: Any) -> Follower:
    return Follower(Address(hub.url, "tok"), wish, **({"chance": lambda: 0.0} | named))


async def told(one: Follower, count: int) -> list[News]:
    """Return the first so many news."""
    seen: list[News] = []
    async with asyncio.timeout(LIMIT_S), aclosing(one.news()) as news:
        async for order in news:
            seen.append(order)
            if len(seen) == count:
                return seen
    raise AssertionError("the follower stopped by itself")


async def numbers(one: Follower, count: int) -> list[int]:
    return [order.event.g for order in await told(one, count) if isinstance(order, Apply)]


# --- Sockets --------------------------------------------------------------------------------------


async def test_events_come_in_order_and_the_call_is_signed(hub: ScriptedHub) -> None:
    async def scene(socket: Socket) -> None:
        assert socket.authorization == "Bearer tok"
        await play(subscribed("live", 0), events(1, 2), events(3, 3))(socket)

    hub.scenes.append(scene)
    assert await numbers(following(hub), 3) == [1, 2, 3]


async def test_a_lost_connection_is_resumed_from_the_cursor(hub: ScriptedHub) -> None:
    async def cut(socket: Socket) -> None:
        await play(subscribed("resume", 1), events(2, 2), expect="c1", close=1012)(socket)

    hub.scenes += [
        play(subscribed("live", 0), events(1, 1), close=1011),
        cut,
        play(
            subscribed("resume", 2),
            Bookmark(id="main", from_="c2", cursor="c2x"),
            structs.replace(events(3, 3), from_="c2x"),
            expect="c2",
        ),
    ]
    assert await numbers(following(hub), 3) == [1, 2, 3]


@pytest.mark.parametrize("after", [1, 60, 130, 180, 250, 330, 400, 500, 700, 900, 1100])
async def test_a_cut_at_any_byte_loses_and_doubles_nothing(hub: ScriptedHub, after: int) -> None:
    hub.cut_after = after

    async def scene(socket: Socket) -> None:
        with suppress(Exception):
            wish = await socket.greet()
            at = int((wish.cursor or "c0")[1:])
            await socket.tell(subscribed("resume" if wish.cursor else "live", at))
            for number in range(at + 1, 5):
                await socket.tell(events(number, number))
            await socket.closed()

    hub.scenes += [scene, scene]
    assert await numbers(following(hub), 4) == [1, 2, 3, 4]
    assert hub.handshakes == 2


async def test_a_hub_that_falls_silent_is_left(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_session, "LATE_S", 0.1)

    async def stall(socket: Socket) -> None:
        await socket.greet(heartbeat_ms=200)
        await socket.tell(subscribed("live", 0), events(1, 1))
        await socket.connection.recv()  # the client asks for a sign of life
        hub.flows.clear()
        await socket.tell(events(2, 2))
        with suppress(TimeoutError):
            await socket.closed()

    async def again(socket: Socket) -> None:
        await play(subscribed("resume", 1), events(2, 2), expect="c1")(socket)

    hub.scenes += [stall, again]

    async def let_flow() -> None:
        async with asyncio.timeout(LIMIT_S):
            while hub.handshakes < 2:  # noqa: ASYNC110 - the hub has no event for it
                await asyncio.sleep(0.01)
        hub.flows.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(let_flow())
        assert await numbers(following(hub), 2) == [1, 2]


async def test_a_gap_is_noticed_and_closed_over(hub: ScriptedHub) -> None:
    codes: list[int | None] = []

    async def gap(socket: Socket) -> None:
        await socket.greet()
        await socket.tell(subscribed("live", 0), events(1, 1), events(3, 3))
        codes.append(await socket.closed())

    hub.scenes += [gap, play(subscribed("resume", 1), events(2, 3), expect="c1")]
    assert await numbers(following(hub), 3) == [1, 2, 3]
    assert codes == [4290]


async def test_a_hub_that_drains_is_left_alone_as_long_as_it_says(hub: ScriptedHub) -> None:
    drain = Notice(code="drain", retry_after_ms=300)
    hub.scenes += [
        play(subscribed("live", 0), events(1, 1), drain, close=4300),
        play(subscribed("resume", 1), events(2, 2), expect="c1"),
    ]
    began_s = time.monotonic()
    assert await numbers(following(hub), 2) == [1, 2]
    assert time.monotonic() - began_s >= 0.3


async def test_a_reset_is_told_and_the_snapshot_takes_its_place(hub: ScriptedHub) -> None:
    rows = [{"pk": 1, "seq": 4, "tseq": 4}]
    snapshot = Snapshot(id="main", at="c4", part=1, last=True, jobs=rows)
    hub.scenes.append(
        play(subscribed("snapshot", 4, reset="expired"), snapshot, events(5, 5), expect="c1")
    )
    wish = structs.replace(WISH, snapshot="auto", cursor="c1")
    assert await told(following(hub, wish), 3) == [
        Forget("main", "expired"),
        Swap("main", "c4", rows),
        Apply("main", event(5)),
    ]


async def test_slow_work_is_no_silence_of_the_hub(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_session, "LATE_S", 0.1)
    everything_sent = asyncio.Event()

    async def scene(socket: Socket) -> None:
        await socket.greet(heartbeat_ms=100)
        await socket.tell(subscribed("live", 0), *(events(n, n) for n in range(1, 5)))
        everything_sent.set()
        await socket.closed()

    hub.scenes.append(scene)
    seen = []
    async with asyncio.timeout(LIMIT_S), aclosing(following(hub).news()) as news:
        async for one in news:
            seen.append(one)
            if len(seen) == 4:
                break
            await everything_sent.wait()
            await asyncio.sleep(0.35)  # longer than the hub may be silent
    assert hub.handshakes == 1


# --- Refusals and credentials ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "code"),
    [
        (play(close=4003), 4003),
        (play(close=4000), 4000),
        (play(Error(id="main", code="forbidden", detail="not yours")), "forbidden"),
        (play(subscribed("live", 0), End(id="main", reason="revoked"), close=4003), 4003),
    ],
)
async def test_a_refusal_ends_it(hub: ScriptedHub, scene: Scene, code: int | str) -> None:
    hub.scenes.append(scene)
    with pytest.raises(Refused) as refused:
        await told(following(hub), 1)
    assert refused.value.code == code


async def test_a_subscription_that_is_taken_back_alone_ends_it(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "LAST_WORDS_S", 0.05)
    hub.scenes.append(play(subscribed("live", 0), End(id="main", reason="revoked")))
    with pytest.raises(Refused, match="revoked"):
        await told(following(hub), 1)


@pytest.mark.parametrize(("status", "error"), [(403, Refused), (400, Refused), (401, SignedOut)])
async def test_a_handshake_that_the_hub_refuses_ends_it(
    hub: ScriptedHub, status: int, error: type[Exception]
) -> None:
    body = b'{"code":"no","detail":"not you"}'
    hub.upgrade_answer = (
        b"HTTP/1.1 %d No\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n\r\n"
        % (status, len(body))
    ) + body
    with pytest.raises(error, match="not you"):
        await told(following(hub), 1)


async def test_a_token_that_ends_is_renewed_in_place(hub: ScriptedHub) -> None:
    async def scene(socket: Socket) -> None:
        await socket.greet()
        await socket.tell(subscribed("live", 0), Notice(code="auth_expiring"))
        assert await socket.heard() == Auth(token="fresh")
        await socket.tell(AuthOk(expires_in=60), events(1, 1))
        await socket.closed()

    async def renew() -> str:
        return "fresh"

    hub.scenes.append(scene)
    assert await numbers(following(hub, renew=renew), 1) == [1]


async def test_a_token_that_has_ended_is_renewed_between_connections(hub: ScriptedHub) -> None:
    async def fresh(socket: Socket) -> None:
        assert socket.authorization == "Bearer fresh"
        await play(subscribed("resume", 1), events(2, 2), expect="c1")(socket)

    async def renew() -> str:
        return "fresh"

    hub.scenes += [
        play(subscribed("live", 0), events(1, 1), End(id="main", reason="revoked"), close=4110),
        fresh,
    ]
    assert await numbers(following(hub, renew=renew), 2) == [1, 2]


async def test_without_anybody_to_renew_it_the_end_of_a_token_is_the_end(hub: ScriptedHub) -> None:
    hub.scenes.append(play(subscribed("live", 0), close=4101))
    with pytest.raises(SignedOut):
        await told(following(hub), 1)


# --- Other ways -----------------------------------------------------------------------------------

BLOCKED = b"HTTP/1.1 400 Bad\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nno"


def tell_lines(*members: dict[str, Any], expect: str | None = None) -> HttpScene:
    async def scene(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.get("cursor") == (expect and [expect])
        await begin_lines(writer)
        for one in members:
            await line(writer, **one)

    return scene


def as_line(number: int) -> dict[str, Any]:
    return structs.asdict(event(number)) | {"cursor": f"c{number}"}


async def never_ends(_: Request, writer: asyncio.StreamWriter) -> None:
    await begin_lines(writer)
    await asyncio.Event().wait()


async def test_where_handshakes_are_refused_lines_tell_the_same(hub: ScriptedHub) -> None:
    hub.upgrade_answer = BLOCKED
    hub.http_scenes += [
        tell_lines(as_line(1), {"type": "bookmark", "cursor": "c5"}),
        tell_lines(as_line(6) | {"seq": 2, "tseq": 2}, {"type": "weather"}, expect="c5"),
        never_ends,
    ]
    assert await numbers(following(hub), 2) == [1, 6]
    assert hub.handshakes == 1


async def test_a_hub_that_has_no_such_socket_is_asked_otherwise(hub: ScriptedHub) -> None:
    body = b'{"code":"not_found","detail":"Not Found"}'
    hub.upgrade_answer = b"HTTP/1.1 404 No\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    hub.http_scenes += [tell_lines(as_line(1)), never_ends]
    assert await numbers(following(hub), 1) == [1]


async def test_a_redirect_does_not_take_the_token_elsewhere(hub: ScriptedHub) -> None:
    async with ScriptedHub() as elsewhere:
        target = elsewhere.url.replace("http", "ws").encode()
        hub.upgrade_answer = (
            b"HTTP/1.1 307 Go\r\nlocation: %s/v1/stream\r\ncontent-length: 0\r\n\r\n" % target
        )
        hub.http_scenes += [tell_lines(as_line(1)), never_ends]
        assert await numbers(following(hub), 1) == [1]
        assert elsewhere.handshakes == 0


async def test_where_sockets_die_at_once_again_and_again_lines_are_used(hub: ScriptedHub) -> None:
    hub.upgrade_answer = b""
    hub.http_scenes += [tell_lines(as_line(1)), never_ends]
    assert await numbers(following(hub), 1) == [1]
    assert hub.handshakes == follower.TRIES


async def test_where_sockets_open_and_stay_mute_lines_are_used(hub: ScriptedHub) -> None:
    async def close_at_once(socket: Socket) -> None:
        await socket.close(1011)

    hub.scenes += [close_at_once] * follower.TRIES
    hub.http_scenes += [tell_lines(as_line(1)), never_ends]
    assert await numbers(following(hub), 1) == [1]
    assert hub.handshakes == follower.TRIES


async def test_sockets_that_work_for_a_while_stay_the_best_way(hub: ScriptedHub) -> None:
    hub.scenes.append(play(subscribed("live", 0), events(1, 1), close=1011))
    for number in range(2, 6):
        before = f"c{number - 1}"
        hub.scenes.append(
            play(
                subscribed("resume", number - 1),
                events(number, number),
                expect=before,
                close=1011,
            )
        )
    assert await numbers(following(hub), 5) == [1, 2, 3, 4, 5]
    assert (hub.handshakes, hub.requests) == (5, [])


async def test_lines_may_begin_with_a_reset_and_a_snapshot(hub: ScriptedHub) -> None:
    hub.upgrade_answer = BLOCKED
    rows = [{"pk": 1, "seq": 4, "tseq": 4}]
    hub.http_scenes += [
        tell_lines(
            {"type": "reset", "reason": "expired"},
            {"type": "snapshot", "cursor": "c4", "jobs": rows},
            as_line(5),
            {"type": "reset", "reason": "epoch"},
            {"type": "snapshot", "at": "d0", "part": 1, "last": False, "jobs": []},
            {"type": "snapshot", "at": "d0", "part": 2, "last": True, "jobs": []},
            expect="c1",
        ),
    ]
    wish = structs.replace(WISH, cursor="c1", snapshot="auto")
    assert await told(following(hub, wish), 5) == [
        Forget("main", "expired"),
        Swap("main", "c4", rows),
        Apply("main", event(5)),
        Forget("main", "epoch"),
        Swap("main", "d0", []),
    ]


async def test_a_hole_between_lines_is_noticed_by_the_numbers(hub: ScriptedHub) -> None:
    hub.upgrade_answer = BLOCKED
    hub.http_scenes += [
        tell_lines(as_line(1), as_line(3)),
        tell_lines(as_line(2), as_line(3), expect="c1"),
    ]
    assert await numbers(following(hub), 3) == [1, 2, 3]


def tell_page(
    first: int, last: int, head: int, *, expect: str | None = None, status: int = 200
) -> HttpScene:
    async def scene(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.get("after") == (expect and [expect])
        items = [structs.asdict(event(number)) for number in range(first, last + 1)]
        for item in items:
            del item["skip"]
        await answer(writer, status, {"items": items, "cursor": f"c{last}", "head": f"c{head}"})

    return scene


async def blocked(_: Request, writer: asyncio.StreamWriter) -> None:
    await answer(writer, 200, b"<html>", media_type="text/html")


async def test_where_nothing_else_gets_through_pages_are_asked_for(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_link, "PAUSE_S", 0.01)
    hub.upgrade_answer = BLOCKED
    hub.http_scenes += [
        blocked,
        tell_page(1, 2, 3, expect="c0"),
        tell_page(3, 3, 3, expect="c2"),
        tell_page(4, 3, 3, expect="c3"),
        tell_page(4, 4, 4, expect="c3"),
    ]
    wish = structs.replace(WISH, cursor="c0")
    assert await numbers(following(hub, wish), 4) == [1, 2, 3, 4]


async def test_pages_begin_anew_where_the_log_is_gone(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_link, "PAUSE_S", 0.01)
    hub.upgrade_answer = BLOCKED
    hub.http_scenes += [
        blocked,
        tell_page(1, 0, 0, expect="c1", status=410),
        tell_page(7, 8, 8),
        tell_page(9, 9, 9, expect="c8"),
    ]
    wish = structs.replace(WISH, cursor="c1", snapshot="auto")
    seen = await told(following(hub, wish), 4)
    assert seen == [Forget("main", "expired"), *(Apply("main", event(n)) for n in (7, 8, 9))]


async def test_pages_that_begin_now_tell_only_what_comes(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_link, "PAUSE_S", 0.01)
    hub.upgrade_answer = BLOCKED
    hub.http_scenes += [blocked, tell_page(1, 2, 8), tell_page(9, 9, 9, expect="c8")]
    assert await numbers(following(hub), 1) == [9]


async def test_pages_do_not_tell_what_they_cannot_filter(hub: ScriptedHub) -> None:
    hub.upgrade_answer = BLOCKED
    hub.http_scenes += [blocked, tell_lines(as_line(1))]
    wish = structs.replace(WISH, filter=Filter(status=("RUNNING",)))

    async def open_again() -> None:
        async with asyncio.timeout(LIMIT_S):
            while hub.handshakes < 2:  # noqa: ASYNC110 - the hub has no event for it
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        group.create_task(open_again())
        assert await numbers(following(hub, wish), 1) == [1]
    assert "status=RUNNING" in hub.requests[0]


async def test_after_a_detour_the_best_way_is_tried_again(
    hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "DETOUR_S", 0.3)
    hub.upgrade_answer = BLOCKED

    async def open_up(request: Request, writer: asyncio.StreamWriter) -> None:
        await begin_lines(writer)
        await line(writer, **as_line(1))
        hub.upgrade_answer = None
        await asyncio.Event().wait()

    hub.http_scenes.append(open_up)
    hub.scenes.append(play(subscribed("resume", 1), events(2, 2), expect="c1"))
    assert await numbers(following(hub), 2) == [1, 2]


async def test_a_hub_that_is_down_is_waited_for_on_the_same_way(hub: ScriptedHub) -> None:
    waits = iter([0.0, 0.0, 0.0, 0.0, 0.0])
    elsewhere = Address("http://127.0.0.1:1")
    one = Follower(elsewhere, WISH, chance=lambda: next(waits))
    with pytest.raises(RuntimeError):  # the waits are used up, and nothing else was tried
        await told(one, 1)
    assert one._way == 0


# --- The cursor -----------------------------------------------------------------------------------


async def test_the_cursor_is_stored_after_the_work_and_not_before(hub: ScriptedHub) -> None:
    hub.scenes.append(play(subscribed("live", 0), events(1, 2), events(3, 3)))
    cursor = MemoryCursor()
    stored: list[str | None] = []
    async with aclosing(following(hub, cursors=cursor).news()) as news:
        async for _ in news:
            stored.append(cursor.cursor)
            if len(stored) == 3:
                break
    assert stored == ["c0", "c0", "c2"]


async def test_a_program_that_starts_again_goes_on_where_it_was(
    hub: ScriptedHub, tmp_path: Path
) -> None:
    path = tmp_path / "cursor"
    hub.scenes += [
        play(subscribed("live", 0), events(1, 1), events(2, 2)),
        play(subscribed("resume", 1), events(2, 2), expect="c1"),
    ]
    assert await numbers(following(hub, cursors=FileCursor(path)), 2) == [1, 2]
    assert path.read_text() == "c1\n"
    assert await numbers(following(hub, cursors=FileCursor(path)), 1) == [2]


async def test_a_file_that_is_missing_or_empty_holds_no_cursor(tmp_path: Path) -> None:
    cursor = FileCursor(tmp_path / "cursor")
    assert await cursor.load() is None
    (tmp_path / "cursor").touch()
    assert await cursor.load() is None
    await cursor.save("v1:e:1")
    assert await cursor.load() == "v1:e:1"
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["cursor"]


async def test_an_error_of_the_handler_ends_it_and_the_event_comes_again(hub: ScriptedHub) -> None:
    hub.scenes += [
        play(subscribed("live", 0), events(1, 1)),
        play(subscribed("resume", 0), events(1, 1), expect="c0"),
    ]
    cursor = MemoryCursor()

    async def fail(_: News) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await following(hub, cursors=cursor).run(fail)
    assert await numbers(following(hub, cursors=cursor), 1) == [1]


# --- Ending ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["socket", "lines", "pages"])
async def test_a_cancelled_follower_leaves_nothing_behind(
    hub: ScriptedHub, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_link, "PAUSE_S", 30.0)
    if way != "socket":
        hub.upgrade_answer = BLOCKED
    hub.scenes.append(play(subscribed("live", 0)))
    hub.http_scenes += [never_ends] if way == "lines" else [blocked, tell_page(1, 0, 0)]
    before = asyncio.all_tasks()
    cursor = MemoryCursor()

    async def ignore(_: News) -> None:
        return

    task = asyncio.create_task(following(hub, cursors=cursor).run(ignore))
    async with asyncio.timeout(LIMIT_S):
        while not (cursor.cursor or (way == "lines" and hub.requests)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    began_s = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began_s < 2.0
    mine = {one for one in asyncio.all_tasks() - before if "hub/client" in repr(one)}
    assert mine == set()


async def test_an_iterator_without_an_event_loop_tells_the_same(hub: ScriptedHub) -> None:
    hub.scenes += [
        play(subscribed("live", 0), events(1, 2)),
        play(subscribed("resume", 0), expect="c0"),
    ]
    cursor = MemoryCursor()

    def read() -> list[int]:
        seen = []
        with BlockingFollower(following(hub, cursors=cursor)) as news:
            for one in news:
                assert isinstance(one, Apply)
                seen.append(one.event.g)
                if len(seen) == 2:
                    break
        return seen

    async with asyncio.timeout(LIMIT_S):
        assert await asyncio.to_thread(read) == [1, 2]
    assert cursor.cursor == "c0"


async def test_an_iterator_without_an_event_loop_raises_what_ended_it(hub: ScriptedHub) -> None:
    hub.scenes.append(play(close=4003))

    def read() -> None:
        with BlockingFollower(following(hub)) as news:
            for _ in range(2):
                with pytest.raises(Refused):
                    next(iter(news))

    async with asyncio.timeout(LIMIT_S):
        await asyncio.to_thread(read)


# --- Addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "socket", "is_here"),
    [
        ("http://127.0.0.1:8000", "ws://127.0.0.1:8000/v1/stream", True),
        ("http://localhost:8000/", "ws://localhost:8000/v1/stream", True),
        ("https://hub.example/jobs/", "wss://hub.example/jobs/v1/stream", False),
        ("http://[::1]:8000", "ws://[::1]:8000/v1/stream", True),
    ],
)
def test_an_address_says_where_the_socket_is(url: str, socket: str, *, is_here: bool) -> None:
    address = Address(url, "tok")
    assert address.socket("/v1/stream") == socket
    assert address.is_here is is_here
    assert address.headers == {"Authorization": "Bearer tok"}
    assert "tok" not in repr(address)


@pytest.mark.parametrize("url", ["", "hub.example", "ftp://hub.example", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        Address.of_environment({"HUB_URL": url})


def test_a_wish_that_contradicts_itself_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Follower(Address("http://127.0.0.1:1"), Subscribe(id="main", topic="job"))
