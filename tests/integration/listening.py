"""A hub behind a real server, and clients that hold on to an answer without an end."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn

from hub.cli.http import BoundedHttp
from hub.cli.listening import listening_socket
from tests.event_source import EventSource, Message
from tests.integration.conftest import HubClient

Json = dict[str, Any]

LIMIT_S = 10.0
SSE = "text/event-stream"
LINES = "application/x-ndjson"


class Served:
    """A hub that listens on a port."""

    def __init__(self, client: HubClient, server: uvicorn.Server, address: tuple[str, int]) -> None:
        self.client = client
        self.hub = client.hub
        self.server = server
        self.address = address

    @asynccontextmanager
    async def listening(
        self,
        path: str = "/v1/events/stream",
        accept: str = LINES,
        *,
        token: str = "vic",
        receive_bytes: int = 0,
        **headers: str,
    ) -> AsyncIterator["Listener"]:
        """Ask for a stream, and leave without a word at the end of the block."""
        peer = socket.socket()
        if receive_bytes:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        peer.setblocking(False)
        await asyncio.get_running_loop().sock_connect(peer, self.address)
        reader, writer = await asyncio.open_connection(sock=peer, limit=2**16)
        said = {"Host": "hub", "Authorization": f"Bearer {token}", "Accept": accept}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in said.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            yield Listener(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def emptied(self, to: int = 0) -> None:
        """Wait until the hub knows of so many open streams, and no more."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.hub.sockets) > to:  # noqa: ASYNC110  # the register tells nobody
                await asyncio.sleep(0.01)

    def unsent_bytes(self) -> int:
        """Return what waits in this process for clients to take it."""
        known: Any = self.server.server_state.connections
        return sum(one.transport.get_write_buffer_size() for one in known)


class Listener:
    """One answer, as it comes.

    Attributes:
        status: After ``head``.
        headers: After ``head``; names in small letters.
        has_ended: Whether the answer was complete.
        source: What a browser would make of it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.has_ended = False
        self.source = EventSource()
        self._messages: list[Message] = []
        self._unread = b""

    async def head(self) -> int:
        """Read the head, and return the status."""
        async with asyncio.timeout(LIMIT_S):
            said = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = said.split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.partition(":") for line in lines if line)
        self.headers = {name.lower(): value.strip() for name, _, value in pairs}
        return self.status

    async def problem(self) -> tuple[int, str]:
        """Return status and code of an answer that is an error."""
        await self.head()
        body = await self._reader.readexactly(int(self.headers["content-length"]))
        assert self.headers["content-type"] == "application/problem+json"
        return self.status, json.loads(body)["code"]

    async def chunk(self) -> bytes:
        """Return what comes next; nothing when the answer is complete or cut."""
        if not self.status:
            assert await self.head() == 200
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            size = int(await self._reader.readuntil(b"\r\n"), 16)
            data = await self._reader.readexactly(size + 2)
            self.has_ended = not size
            return data[:-2]
        return b""

    async def rest(self) -> bytes:
        """Return all that comes until the end."""
        parts: list[bytes] = []
        async with asyncio.timeout(LIMIT_S):
            while part := await self.chunk():
                parts.append(part)
        return b"".join(parts)

    async def heard(self, count: int, *, but: str = "bookmark") -> list[Message]:
        """Return the next messages of a browser, without those of one name."""
        found: list[Message] = []
        async with asyncio.timeout(LIMIT_S):
            while len(found) < count:
                message = await self._message()
                if message.name != but:
                    found.append(message)
        return found

    async def until(self, name: str) -> Message:
        """Return the next message of a browser that has this name."""
        while True:
            (message,) = await self.heard(1)
            if message.name == name:
                return message

    async def read(self, count: int, *, but: str = "bookmark") -> list[Json]:
        """Return the next lines, without those of one type."""
        found: list[Json] = []
        async with asyncio.timeout(LIMIT_S):
            while len(found) < count:
                line = await self._line()
                if line["type"] != but:
                    found.append(line)
        return found

    async def _message(self) -> Message:
        while not self._messages:
            self._messages += self.source.feed(await self._more())
        return self._messages.pop(0)

    async def _line(self) -> Json:
        while b"\n" not in self._unread:
            self._unread += await self._more()
        line, _, self._unread = self._unread.partition(b"\n")
        found: Json = json.loads(line)
        return found

    async def _more(self) -> bytes:
        chunk = await self.chunk()
        if not chunk:
            raise EOFError
        return chunk


@asynccontextmanager
async def served(client: HubClient) -> AsyncIterator[Served]:
    """Let the hub of ``client`` listen on a free port, as the command does."""
    app: Any = client.app
    config = uvicorn.Config(
        app, http=BoundedHttp, lifespan="off", log_config=None, timeout_graceful_shutdown=2
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with listening_socket("127.0.0.1", 0) as listener:
        await server.startup(sockets=[listener])
        try:
            yield Served(client, server, listener.getsockname()[:2])
        finally:
            client.hub.sockets.drain(0.0)
            await server.shutdown(sockets=[listener])
