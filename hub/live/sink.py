"""Where a watcher's frames go: straight to the transport, or through ASGI one by one.

``DirectProtocol`` is uvicorn's socket protocol, which lets the application reach the transport:
frames that are built once for all watchers are written as they are, several in one write. It
reaches into uvicorn, so that one's minor version is pinned; another server gets ``AsgiSink``.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from hub import clock
from hub.live.frames import payload_of

EXTENSION = "hub.direct"

STALL_S = 15.0
"""A watcher that takes nothing for this long is cut off; it resumes from its cursor."""

LOOKS = 5
"""How often in that time it is looked whether it took anything: so much later it may be cut off."""

TCP_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
UNSENT_BYTES = 2_048
"""How much of what the kernel cannot send yet it takes of us."""

WRITE_MAX_BYTES = 256 * 1024
"""Most bytes of frames in one write; a longer frame is a write of its own."""

Send = Callable[[Any], Awaitable[None]]


class PeerGone(Exception):
    """The socket is closed."""


class Sink(Protocol):
    """Takes text frames for one watcher.

    ``send`` returns when all are with the transport, in order, and waits while the peer is slow. It
    raises ``TimeoutError`` after ``STALL_S`` seconds without any progress, ``PeerGone`` when there
    is nobody to send to.
    """

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send whole text frames."""
        ...

    @property
    def is_free(self) -> bool:
        """Whether a frame can be sent now without waiting."""
        ...

    def put(self, frame: bytes) -> None:
        """Send a whole text frame; only while ``is_free``."""
        ...

    def abort(self) -> None:
        """Drop the connection at once, with what was not taken yet."""
        ...


class DirectProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, reachable from the scope."""

    async def run_asgi(self) -> None:
        """Run the application with this protocol in reach."""
        extensions: Any = self.scope.setdefault("extensions", {})
        extensions[EXTENSION] = self
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        """Send an ASGI message; a handshake that was refused in full counts as complete.

        uvicorn forgets to say so, and then logs each refusal as an error of the application. Nor is
        it an error when the peer left before its handshake was answered: ``receive`` says so.
        """
        try:
            await super().send(message)
        except ClientDisconnected:
            if message["type"] == "websocket.send":
                raise
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True


def writes(frames: Sequence[bytes]) -> Iterator[bytes]:
    """Join frames, in order, to writes of at most ``WRITE_MAX_BYTES``.

    A frame is never cut: a ping that came between its parts would end up inside it.
    """
    if len(frames) == 1:
        yield frames[0]
        return
    joined: list[bytes] = []
    size = 0
    for frame in frames:
        if joined and size + len(frame) > WRITE_MAX_BYTES:
            yield b"".join(joined)
            joined, size = [], 0
        joined.append(frame)
        size += len(frame)
    if joined:
        yield b"".join(joined)


class DirectSink:
    """Writes to the transport, never more than one write ahead of what the kernel takes.

    And the kernel takes little that it cannot send yet: what waits anywhere on the way gets old,
    while what is not written yet can still be left out for something newer.
    """

    def __init__(self, protocol: DirectProtocol) -> None:
        self._protocol = protocol
        peer = protocol.transport.get_extra_info("socket")
        if protocol.transport.is_closing() or peer is None:  # it left during its handshake
            return
        with suppress(OSError):  # likewise, and nobody noticed yet
            protocol.transport.set_write_buffer_limits(high=0)
            peer.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send whole text frames, several in one write."""
        protocol = self._protocol
        for data in writes(frames):
            if not protocol.writable.is_set():
                await self._room()
            if protocol.disconnected or protocol.close_sent:
                raise PeerGone
            protocol.transport.write(data)

    async def _room(self) -> None:
        """Wait for room, as long as the peer takes anything at all."""
        protocol = self._protocol
        left: float = protocol.transport.get_write_buffer_size()
        moved_s = clock.monotonic_s()
        while not protocol.writable.is_set():
            try:
                async with asyncio.timeout(STALL_S / LOOKS):
                    await protocol.writable.wait()
            except TimeoutError:
                before, left = left, protocol.transport.get_write_buffer_size()
                if left < before:
                    moved_s = clock.monotonic_s()
                elif clock.monotonic_s() - moved_s >= STALL_S:
                    raise

    @property
    def is_free(self) -> bool:
        """Whether somebody is there, and the transport has room."""
        protocol = self._protocol
        is_there = not protocol.disconnected and not protocol.close_sent
        return is_there and protocol.writable.is_set()

    def put(self, frame: bytes) -> None:
        """Write a frame."""
        self._protocol.transport.write(frame)

    def abort(self) -> None:
        """Drop the connection: closing it politely would wait for a buffer that nobody empties."""
        self._protocol.transport.abort()


class AsgiSink:
    """Sends messages the portable way."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, frames: Sequence[bytes]) -> None:
        """Send whole text frames, a message each."""
        for frame in frames:
            async with asyncio.timeout(STALL_S):
                await self._send({"type": "websocket.send", "text": payload_of(frame).decode()})

    is_free = False
    """Here every message has to be waited for."""

    def put(self, frame: bytes) -> None:
        """Send nothing: it is never free."""
        raise AssertionError("whoever waits for each message has none to put")

    def abort(self) -> None:
        """Leave it to the server: ASGI has no word for it."""


def sink_of(scope: Any, send: Send) -> Sink:
    """Return the fastest sink that the server of this socket has."""
    protocol = scope.get("extensions", {}).get(EXTENSION)
    return AsgiSink(send) if protocol is None else DirectSink(protocol)


async def close(send: Send, code: int) -> None:
    """Close a socket politely; a peer that stalled or left is not worth waiting for."""
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(1.0):
            await send({"type": "websocket.close", "code": code, "reason": ""})
