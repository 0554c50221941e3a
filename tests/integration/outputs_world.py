"""A hub behind a real server and real sockets, with jobs that take outputs."""

import asyncio
import itertools
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import uvicorn
from litestar import Litestar

from hub import clock
from hub.app import Hub, create_app
from hub.auth.tokens import digest
from hub.lifecycle import commands as c
from hub.outputs.store import StoredBytes
from hub.settings import load
from orm.engine import Engine
from orm.migrate import migrate
from orm.queries import accounts
from tests.integration import NODE, TEMPLATE, USER, insert

HOST = "127.0.0.1"
LIMIT_S = 20.0
ACCOUNTS = {"admin": 1, "user": 2, "viewer": 3}
"""Account -> its number. Its token is its name, and so is its role."""

LOG = ("log", "Compressed<JSON, 8>")


class Server(uvicorn.Server):
    """A uvicorn server that says when it is ready, and leaves signals to the test run."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class World:
    """A running hub and ways to talk to it."""

    def __init__(self, hub: Hub, client: httpx.AsyncClient, port: int) -> None:
        self.hub = hub
        self.client = client
        self.port = port
        self._indexes = itertools.count()

    async def node(self, owner: str = "user") -> int:
        index = next(self._indexes)
        row = NODE | {"owner": ACCOUNTS[owner], "ip": "10.9.9.9", "index": index}
        await insert(self.hub.engine, "nodes", row, {"pk": 1_000 + index})
        return 1_000 + index

    async def queued(self) -> int:
        """Return a new job that nobody holds."""
        command = c.Create(
            actor=c.Actor(ACCOUNTS["user"]),
            template=1,
            priority=100,
            max_tries=9,
            silence_s=3_600,
            timeout_s=None,
            description="",
            labels="{}",
            inputs="{}",
            parameters="{}",
        )
        return (await self.hub.ledger.execute(command)).job.pk

    async def work(self, owner: str = "user") -> "Work":
        """Return a job that a node of ``owner`` runs."""
        work = Work(self, await self.queued(), await self.node(owner), owner)
        await work.start()
        return work

    def files(self) -> list[Path]:
        """Return every file of the output store."""
        found = self.hub.settings.outputs_dir.rglob("*")
        return sorted(path for path in found if path.is_file())

    def file_of(self, sha256: str) -> Path:
        return self.hub.settings.outputs_dir / "blobs" / sha256[:2] / sha256[2:4] / sha256

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A plain socket to the server, for what no client would send."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    @asynccontextmanager
    async def call_of(self, method: str) -> AsyncIterator["Call"]:
        """The next call of the store's ``receive`` or ``read``; the block ends after it does."""
        call = Call(getattr(self.hub.store, method))
        setattr(self.hub.store, method, getattr(call, method))
        try:
            yield call
            await asyncio.wait_for(call.over.wait(), LIMIT_S)
        finally:
            delattr(self.hub.store, method)


class Call:
    """Tells of one call: ``begun`` when its first bytes came, ``over`` when it let go of them."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.passed_bytes = 0
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

    async def receive(self, chunks: AsyncIterator[bytes], **named: Any) -> StoredBytes:
        try:
            async with aclosing(self._passed_on(chunks)) as seen:
                stored: StoredBytes = await self._real(seen, **named)
                return stored
        finally:
            self.over.set()

    async def read(self, *asked: Any, **named: Any) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._real(*asked, **named)) as chunks:
                async for chunk in self._passed_on(chunks):
                    yield chunk
        finally:
            self.over.set()

    async def has_begun(self) -> None:
        await asyncio.wait_for(self.begun.wait(), LIMIT_S)

    async def _passed_on(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for chunk in chunks:
            self.begun.set()
            self.passed_bytes += len(chunk)
            yield chunk


class Work:
    """A job and the node that works on it."""

    def __init__(self, world: World, pk: int, node: int, owner: str) -> None:
        self.world = world
        self.pk = pk
        self.node = node
        self.actor = c.Actor(ACCOUNTS[owner], is_admin=owner == "admin", node=node)
        self.headers = {"Authorization": f"Bearer {owner}", "Node-Id": str(node)}

    async def start(self) -> None:
        await self.do(c.Acquire)
        await self.do(c.Start)

    async def do(self, kind: Any, **facts: Any) -> None:
        await self.world.hub.ledger.execute(kind(actor=self.actor, job=self.pk, **facts))

    async def fail(self) -> None:
        await self.do(c.Finish, error="it broke")

    async def cancel(self) -> None:
        await self.world.hub.ledger.execute(c.Cancel(actor=c.Actor(2), job=self.pk))

    async def abort(self) -> None:
        await self.world.hub.ledger.execute(c.Abort(actor=c.Actor(1, is_admin=True), job=self.pk))

    def url(self, name: str = LOG[0], type_text: str = LOG[1]) -> str:
        return f"/v1/jobs/{self.pk}/outputs/{quote(name, safe='')}/{quote(type_text, safe='')}"

    async def upload(self, body: Any = b"bytes", key: tuple[str, str] = LOG, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.world.client.post(
            self.url(*key), content=body, headers=self.headers | named
        )

    async def stored(self, body: bytes = b"bytes", key: tuple[str, str] = LOG) -> dict[str, Any]:
        """Upload what the hub must accept, and return the object it answers."""
        answer = await self.upload(body, key)
        assert answer.status_code == 200, answer.text
        output: dict[str, Any] = answer.json()
        return output

    async def shown(self) -> list[tuple[str, str]]:
        """Return name and type of the outputs that the job shows."""
        job = (await self.world.client.get(f"/v1/jobs/{self.pk}")).json()
        return [(output["name"], output["type"]) for output in job["outputs"]]

    def head(self, *lines: str, key: tuple[str, str] = LOG) -> bytes:
        """Return the head of an upload as it stands on the wire."""
        own = [f"{name}: {value}" for name, value in self.headers.items()]
        request = [f"POST {self.url(*key)} HTTP/1.1", "Host: hub", *own, *lines]
        return ("\r\n".join(request) + "\r\n\r\n").encode()


class Answer(msgspec.Struct, frozen=True):
    """What came back over a plain socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.body)
        return found


async def answer_on(reader: asyncio.StreamReader, *, has_body: bool = True) -> Answer:
    """Read one answer that has a Content-Length."""
    async with asyncio.timeout(LIMIT_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.rstrip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0")) if has_body else 0
        body = await reader.readexactly(length)
    found = re.match(r"HTTP/1\.1 (\d+) ", status)
    assert found, status
    return Answer(int(found[1]), headers, body)


async def pieces(body: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def seed(engine: Engine) -> None:
    """Fill an empty database: an account of each role with a token, and a template."""
    roles = [{"username": name, "role": name} for name in ACCOUNTS]
    await insert(engine, "users", USER, *roles)
    await insert(engine, "job_templates", TEMPLATE, {"name": "t"})
    for name, account in ACCOUNTS.items():
        await accounts.add_token(
            engine,
            kind="api",
            sha256=digest(name),
            account=account,
            session=name,
            name="",
            created_us=clock.wall_us(),
            expires_us=None,
        )


@asynccontextmanager
async def running(url: str, data: Path, **settings: int) -> AsyncIterator[World]:
    """A hub on the empty database at ``url`` (none: SQLite in ``data``), served on a free port."""
    data.mkdir(exist_ok=True)  # noqa: ASYNC240  # nobody else uses the loop yet
    app = create_app(load({}, data=str(data), database_url=url or None, **settings))
    hub: Hub = app.state.hub
    await hub.engine.start()
    await migrate(hub.engine)
    await seed(hub.engine)
    await hub.engine.stop()
    async with _served(app) as port:
        headers = {"Authorization": "Bearer admin"}
        async with httpx.AsyncClient(
            base_url=f"http://{HOST}:{port}", headers=headers, timeout=LIMIT_S
        ) as client:
            yield World(hub, client, port)


@asynccontextmanager
async def _served(app: Litestar) -> AsyncIterator[int]:
    with socket.create_server((HOST, 0)) as listener:
        server = Server(uvicorn.Config(app, ws="none", log_config=None, access_log=False))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            await asyncio.wait_for(server.ready.wait(), LIMIT_S)
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True
