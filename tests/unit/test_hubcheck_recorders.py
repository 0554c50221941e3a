"""Clients that write down what they see, against scripted servers; and the command line."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from channels.protocol.frames import Filter
from channels.protocol.frames import Subscribe as Asked
from hub import clock
from hub.lifecycle import commands as c
from hub.lifecycle.planner import Batch
from orm.queries import meta
from orm.queries.batch_sqlite import SqliteBatches
from orm.sqlite import EmbeddedEngine
from tests.hubcheck.history import Applied, Close, History, Refused, Subscribe, read
from tests.hubcheck.oracle import Oracle, read_oracle
from tests.hubcheck.properties import violations
from tests.hubcheck.recorders import GaveUp, HubV1Recorder, PlainRecorder
from tests.integration import NODE, TEMPLATE, USER, insert, migrated
from tests.unit.batch_world import a_job, worker
from tests.unit.test_hubcheck import at, bookmark, event, events, oracle, plain, snapshot
from tests.unit.test_hubcheck import subscribed as begun

LIMIT_S = 5.0
PROJECT = Path(__file__).parents[2]

Script = Callable[[ServerConnection], Awaitable[None]]


class Server:
    """Serves one script after the other, a connection each."""

    def __init__(self, *scripts: Script, refusal: int = 0) -> None:
        self._scripts = list(scripts)
        self._refusal = refusal
        self.asked: list[str] = []
        self.said: list[Any] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serve(
            self._serve,
            "127.0.0.1",
            0,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            process_request=self._look,
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            yield f"ws://127.0.0.1:{port}"

    def _look(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request.path)
        if self._refusal:
            status = HTTPStatus(self._refusal)
            return connection.respond(status, json.dumps({"code": "cursor_gone"}))
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        script = self._scripts.pop(0)
        await script(connection)

    def tells(self, *frames: Any, hears: int = 1, ends: str = "") -> Script:
        """Return a script: hear so many messages, tell, then wait, close or cut."""

        async def script(connection: ServerConnection) -> None:
            for _ in range(hears):
                self.said.append(json.loads(await connection.recv()))
            for frame in frames:
                await connection.send(json.dumps(frame))
            if ends == "cut":
                connection.transport.abort()
            elif ends:
                await connection.close(int(ends))
            else:
                await connection.wait_closed()

        return script


def ends_with(number: int) -> Callable[[dict[str, Any]], bool]:
    return lambda frame: at(number) in (frame.get("to"), frame.get("cursor"))


HELLO = {"op": "hello", "v": 1, "conn": "c_1", "epoch": "e1", "auth": "ok"}
WANTED = Asked(id="s", topic="jobs", filter=Filter(), progress="all")


def no_faults(history: History, log: Oracle) -> None:
    assert [str(one) for one in violations([history], log)] == []


async def test_it_comes_back_with_the_cursor_that_it_stored() -> None:
    server = Server()
    server._scripts = [
        server.tells(
            *(HELLO, begun("snapshot", 4), snapshot(4, 1, 2), events(4, 6, event(5), event(6))),
            ends="cut",
        ),
        server.tells(HELLO, begun("resume", 6), bookmark(6), ends="1012"),
        server.tells(*(HELLO, begun("resume", 6), events(6, 8, event(7), event(8)), bookmark(8))),
    ]
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        client = HubV1Recorder(f"{url}/v1/stream", [WANTED], "c1", account="ada")
        await client.follow(until=ends_with(8))

    assert [said.get("cursor") for said in server.said] == [None, at(6), at(6)]
    assert server.asked == ["/v1/stream"] * 3
    closes = [one.code for one in client.history.records if isinstance(one, Close)]
    assert closes == [1006, 1012, 1000]
    stored = [one.cursor for one in client.history.records if isinstance(one, Applied)]
    assert stored == [at(4), at(6), at(6), at(8)]
    no_faults(client.history, oracle())


async def test_a_reset_throws_the_cursor_away() -> None:
    server = Server()
    reset = {"op": "reset", "id": "s", "reason": "expired"}
    server._scripts = [
        server.tells(HELLO, begun("resume", 3), bookmark(3), reset, ends="cut"),
        server.tells(HELLO, begun("snapshot", 4), snapshot(4, 1, 2)),
    ]
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        wanted = [msgspec.structs.replace(WANTED, cursor=at(3))]
        client = HubV1Recorder(f"{url}/v1/stream", wanted, "c1")
        await client.follow(until=lambda frame: frame["op"] == "snapshot")

    assert [said.get("cursor") for said in server.said] == [at(3), None]


async def test_many_subscriptions_share_a_connection() -> None:
    server = Server()
    other = {**begun("snapshot", 4), "id": "t"}, {**snapshot(4, 1, 2), "id": "t"}
    server._scripts = [
        server.tells(HELLO, begun("snapshot", 4), *other, snapshot(4, 1, 2), bookmark(4), hears=2)
    ]
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        wanted = [WANTED, msgspec.structs.replace(WANTED, id="t")]
        client = HubV1Recorder(f"{url}/v1/stream", wanted, "c1")
        await client.follow(until=lambda frame: frame["op"] == "bookmark")

    assert client.stored == {"s": at(4), "t": at(4)}
    no_faults(client.history, oracle())


@pytest.mark.parametrize("code", [4000, 4003, 4101])
async def test_a_code_that_says_so_ends_it(code: int) -> None:
    server = Server()
    server._scripts = [server.tells(HELLO, ends=str(code))]
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        with pytest.raises(GaveUp, match=str(code)):
            await HubV1Recorder(f"{url}/v1/stream", [WANTED], "c1").follow(until=ends_with(1))


async def test_what_it_writes_is_in_the_file_at_once() -> None:
    server, file = Server(), BytesIO()
    server._scripts = [server.tells(HELLO, begun("snapshot", 4), snapshot(4, 1, 2))]
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        client = HubV1Recorder(f"{url}/v1/stream", [WANTED], "c1", file=file)
        following = asyncio.create_task(client.follow(until=lambda _: False))
        while "s" not in client.stored:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.001)
        assert read(file.getvalue().splitlines()) == client.history
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)

    assert isinstance(client.history.records[-1], Close)


async def test_a_plain_watcher_comes_back_with_the_last_cursor() -> None:
    server = Server()
    first = {**plain(8, "progress"), "transition_data": {}}
    server._scripts = [
        server.tells(first, plain(10), hears=0, ends="cut"),
        server.tells(plain(12), plain(13), plain(14), hears=0),
    ]
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        client = PlainRecorder(url, 2, "c1")
        await client.watch(until=ends_with(14))

    assert server.asked == ["/v1/jobs/2", f"/v1/jobs/2?cursor={at(10)}"]
    assert [one["seq"] for one in client.messages] == [3, 4, 5, 6, 7]
    no_faults(client.history, oracle())


async def test_a_plain_watcher_that_was_refused_says_what_it_had_asked() -> None:
    server = Server(refusal=410)
    async with server.running() as url, asyncio.timeout(LIMIT_S):
        client = PlainRecorder(url, 2, "c1")
        client.stored["job 2"] = at(3)
        with pytest.raises(GaveUp):
            await client.watch(until=ends_with(14))

    asked = [one for one in client.history.records if isinstance(one, Subscribe)]
    refused = [one for one in client.history.records if isinstance(one, Refused)]
    assert [one.cursor for one in asked] == [at(3)]
    assert [(one.status, one.code) for one in refused] == [(410, "cursor_gone")]
    assert {one.property for one in violations([client.history], oracle())} == {"P9", "P10"}
    assert violations([client.history], oracle(floor=4)) == []


# --- The command line, on a real database ---------------------------------------------------------


async def lived(path: Path) -> None:
    """Make a database with a job that finished."""
    node = worker(1)
    async with migrated(f"sqlite:///{path}") as engine:
        assert isinstance(engine, EmbeddedEngine)
        await meta.ensure(engine, clock.wall_us())
        await insert(engine, "job_templates", TEMPLATE, {"name": "work"})
        await insert(engine, "users", USER, {"username": "ada"})
        await insert(engine, "nodes", NODE, {"ip": "::1"})
        for command in (
            a_job(),
            c.Acquire(actor=node, job=1),
            c.Start(actor=node, job=1),
            c.Progress(actor=node, job=1, value=0.5, body='{"counter": 7}'),
            c.Finish(actor=node, job=1),
        ):
            batch = Batch([command], {}, clock.wall_us())
            await SqliteBatches(engine).run(batch.needs, batch.plan)


def checked(database: Path, *histories: Path) -> "subprocess.CompletedProcess[str]":
    arguments = [*map(str, histories), "--database", f"sqlite:///{database}"]
    return subprocess.run(
        [sys.executable, "-m", "tests.hubcheck", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S * 4,
    )


async def test_the_command_prints_a_table_and_says_what_is_wrong(tmp_path: Path) -> None:
    await lived(tmp_path / "hub.sqlite3")
    log = await read_oracle(f"sqlite:///{tmp_path / 'hub.sqlite3'}")
    assert (log.head, log.names.users, log.names.templates) == (
        *(5, {"ada": 1}),
        {"work": frozenset({1})},
    )
    lines = [
        {"what": "client", "at": 0, "client": "c1", "face": "plain"},
        {"what": "subscribe", "at": 0, "conn": 1, "sub": "s", "jobs": [1], "cursor": "v1:X:1"},
        *(
            {"what": "frame", "at": 1, "conn": 1, "sub": "s", "frame": _message(log, g)}
            for g in (2, 3, 4, 5)
        ),
    ]
    text = [json.dumps(line).replace("v1:X", f"v1:{log.epoch}") for line in lines]
    (tmp_path / "good.jsonl").write_text("\n".join(text))
    (tmp_path / "bad.jsonl").write_text("\n".join([*text[:4], *text[5:]]))

    good = checked(tmp_path / "hub.sqlite3", tmp_path / "good.jsonl")
    bad = checked(tmp_path / "hub.sqlite3", tmp_path / "good.jsonl", tmp_path / "bad.jsonl")

    assert (good.returncode, bad.returncode) == (0, 1), good.stdout + bad.stdout
    assert "1 histories, log 1 to 5" in good.stdout
    assert [line.split()[:2] for line in good.stdout.splitlines()[2:]] == [
        [f"P{number}", "ok"] for number in range(1, 13)
    ]
    assert "P4        1" in bad.stdout
    assert "P4 c1:5 event 4 (a report of job 1) is missing between 3 and 5" in bad.stdout


def _message(log: Oracle, g: int) -> dict[str, Any]:
    stored = log.event(g)
    assert stored is not None
    held = {} if stored.node is None else {"node": stored.node}
    return {
        "transition": stored.type,
        "pk": 1,
        "progress": stored.progress,
        "transition_data": stored.data if stored.is_progress else {},
        "seq": stored.seq,
        "tseq": stored.tseq,
        "cursor": f"v1:X:{g}",
        **held,
    }
