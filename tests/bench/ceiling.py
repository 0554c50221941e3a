"""A server that does nothing but answer: what the measuring client can take at most.

Every POST is answered with a constant; its body goes, in one frame, to everybody with a socket.
Run as ``python -m tests.bench.ceiling PORT``.
"""

import asyncio
import sys
from typing import cast

import uvloop

from tests.bench.client import content_length
from tests.bench.frames import text_frame

_ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{"pk":1}'
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"


class Ceiling(asyncio.Protocol):
    """One connection; requests come one at a time and in one piece, as the client sends them."""

    transport: asyncio.WriteTransport

    def __init__(self, watchers: "set[asyncio.WriteTransport]") -> None:
        self._watchers = watchers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        if self.transport in self._watchers:
            return
        head, _, body = data.partition(b"\r\n\r\n")
        if b"upgrade: websocket" in head:
            self._watchers.add(self.transport)
            self.transport.write(_SWITCH)
            return
        self.transport.write(_ANSWER)
        if self._watchers:
            self._broadcast(body[: content_length(head)])

    def _broadcast(self, body: bytes) -> None:
        frame = text_frame(body)
        for watcher in self._watchers:
            watcher.write(frame)

    def connection_lost(self, error: Exception | None) -> None:
        self._watchers.discard(self.transport)


async def serve(port: int) -> None:
    """Serve on the loopback address until the process is ended."""
    watchers: set[asyncio.WriteTransport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Ceiling(watchers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
