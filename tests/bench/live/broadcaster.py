"""The yardstick: rooms on the ``websockets`` library's own server and its ``broadcast()``.

Whoever connects to ``/post`` sends texts ``ROOM PAYLOAD``; the payload goes to all who are
connected to ``/ROOM``. It has no accounts, no database and no order to keep. Compression is off, as
on the hub. Run as ``python -m tests.bench.live.broadcaster PORT``.
"""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve


class Rooms:
    """Who is connected where."""

    def __init__(self) -> None:
        self._members: dict[str, set[ServerConnection]] = {}

    async def enter(self, connection: ServerConnection) -> None:
        """Keep a connection until it leaves; those on ``/post`` are listened to."""
        assert connection.request is not None
        room = connection.request.path.removeprefix("/")
        if room == "post":
            await self._post(connection)
            return
        members = self._members.setdefault(room, set())
        members.add(connection)
        try:
            await connection.wait_closed()
        finally:
            members.discard(connection)

    async def _post(self, connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, str)
            room, _, payload = message.partition(" ")
            broadcast(self._members.get(room, ()), payload)
            await connection.send("{}")


async def main(port: int) -> None:
    """Serve on the loopback address until the process is ended."""
    async with serve(Rooms().enter, "127.0.0.1", port, compression=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
