"""A hub that plays scenes on a real port, with a network in front of it that can be made bad.

A front door reads the head of each request. A handshake is passed, byte by byte, to a real
WebSocket server behind it, which plays the next scene; what is called otherwise gets the next HTTP
scene. The front door refuses, cuts and stalls.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from channels.protocol.codec import decode_said, encode
from channels.protocol.codes import SUBPROTOCOL
from channels.protocol.frames import Auth, Hello, Said, ServerFrame, Subscribe

Scene = Callable[["Socket"], Awaitable[None]]
Request = dict[str, list[str]]
HttpScene = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]

SCENE_S = 20.0


class Socket:
    """The hub's end of a socket."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    @property
    def authorization(self) -> str | None:
        request = self.connection.request
        return request.headers.get("Authorization") if request else None

    async def tell(self, *frames: ServerFrame) -> None:
        for frame in frames:
            await self.connection.send(encode(frame).decode())

    async def heard(self) -> Said:
        async with asyncio.timeout(SCENE_S):
            message = await self.connection.recv()
        return decode_said(message)

    async def greet(self, **rest: Any) -> Subscribe:
        """Say hello and return the subscription that follows."""
        await self.tell(Hello(**{"conn": "c", "epoch": "e", "auth": "ok"} | rest))
        said = await self.heard()
        while isinstance(said, Auth):
            said = await self.heard()
        assert isinstance(said, Subscribe)
        return said

    async def close(self, code: int, reason: str = "") -> None:
        await self.connection.close(code, reason)

    async def closed(self) -> int | None:
        """Wait until the client closes, and return its code."""
        async with asyncio.timeout(SCENE_S):
            await self.connection.wait_closed()
        return self.connection.close_code


class ScriptedHub:
    """One hub; scenes are played one after the other, and each is played to its end."""

    def __init__(self) -> None:
        self.scenes: deque[Scene] = deque()
        self.http_scenes: deque[HttpScene] = deque()
        self.requests: list[str] = []
        self.errors: list[BaseException] = []
        self.upgrade_answer: bytes | None = None
        self.cut_after: int | None = None
        self.flows = asyncio.Event()
        self.flows.set()
        self.handshakes = 0
        self._stack = AsyncExitStack()
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._inner: Server = await self._stack.enter_async_context(
            serve(
                self._play,
                "127.0.0.1",
                0,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                close_timeout=0.1,
                ping_interval=None,
            )
        )
        self._front = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._front.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._inner.close()
        await self._stack.aclose()
        await self._front.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._front.sockets[0].getsockname()[1]}"

    async def _play(self, connection: ServerConnection) -> None:
        if not self.scenes:
            await connection.close(1013)
            return
        try:
            await self.scenes.popleft()(Socket(connection))
        except Exception as error:
            self.errors.append(error)
            raise

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                await self._upgrade(head, reader, writer)
            else:
                await self._answer(head, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        target = head.split(b" ")[1].decode()
        self.requests.append(target)
        if self.http_scenes:
            await self.http_scenes.popleft()(parse_qs(urlsplit(target).query), writer)

    async def _upgrade(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.handshakes += 1
        if self.upgrade_answer is not None:
            writer.write(self.upgrade_answer)
            await writer.drain()
            return
        inner_port = next(iter(self._inner.sockets)).getsockname()[1]
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner_port)
        inner_writer.write(head)
        try:
            async with asyncio.TaskGroup() as group:
                inward = group.create_task(_pass_on(reader, inner_writer))
                await self._outward(inner_reader, writer)
                inward.cancel()
        finally:
            inner_writer.close()

    async def _outward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await reader.read(65_536):
            await self.flows.wait()
            if self.cut_after is not None and passed + len(data) > self.cut_after:
                writer.write(data[: self.cut_after - passed])
                await writer.drain()
                self.cut_after = None
                writer.transport.abort()
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def answer(
    writer: asyncio.StreamWriter,
    status: int,
    body: object,
    *,
    media_type: str = "application/json",
    headers: str = "",
) -> None:
    """Write a whole answer."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    writer.write(
        f"HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\ncontent-length: {len(content)}\r\n"
        f"connection: close\r\n{headers}\r\n".encode()
        + content
    )
    await writer.drain()


async def begin_lines(writer: asyncio.StreamWriter) -> None:
    """Write the head of a long answer; its end is the end of the connection."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson; charset=utf-8\r\n"
        b"connection: close\r\n\r\n"
    )
    await writer.drain()


async def line(writer: asyncio.StreamWriter, **members: Any) -> None:
    writer.write(msgspec.json.encode(members) + b"\n")
    await writer.drain()
