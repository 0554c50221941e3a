"""A TCP proxy between a client and a hub that does what networks do at their worst.

It goes by bytes and knows no protocol. All of it is controlled by method calls; leaving its block
ends every connection and task.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from tests.bench.client import Address

CHUNK_BYTES = 16_384
CONNECTIONS_MAX = 200

HARD_CLOSE = struct.pack("ii", 1, 0)
"""``SO_LINGER`` with no time: closing sends RST and drops what was not sent."""


class Way(Enum):
    """A direction."""

    UP = "to the hub"
    DOWN = "to the client"


class Link:
    """One connection through the proxy: two sockets, and a task for each direction."""

    def __init__(self, client: asyncio.StreamWriter, hub: asyncio.StreamWriter) -> None:
        self.ends = {Way.UP: hub, Way.DOWN: client}
        self.passed = {Way.UP: 0, Way.DOWN: 0}
        self.ended = asyncio.Event()

    def close(self, *, hard: bool) -> None:
        """End both connections; ``hard`` sends RST instead of a proper end."""
        for writer in self.ends.values():
            if hard:
                connection = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):  # it has ended already
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD_CLOSE)
                writer.transport.abort()
            else:
                writer.close()
        self.ended.set()


class ChaosProxy:
    """Passes bytes on until it is told otherwise; what is set holds for all links, new ones too.

    Attributes:
        delay_s: How long every piece waits.
        split: Pass on one byte a write.
        cut_after: End a link when so many bytes have gone in a direction; ``None`` never.
        is_half_open: Take new connections, and leave their clients without any answer.
        links: All that are open.
        taken: How many connections came until now.
    """

    def __init__(self, hub: Address) -> None:
        self._hub = hub
        self._flowing = {way: asyncio.Event() for way in Way}
        self.delay_s = 0.0
        self.split = False
        self.cut_after: dict[Way, int | None] = {Way.UP: None, Way.DOWN: None}
        self.is_half_open = False
        self.links: set[Link] = set()
        self.taken = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = Address("", 0)
        self.flow()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ChaosProxy"]:
        """Listen on a free port of the loopback address."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = Address(*server.sockets[0].getsockname()[:2])
        try:
            yield self
        finally:
            server.close()
            self.reset()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    # What a test can do to it.

    def stall(self, *ways: Way) -> None:
        """Pass nothing on in these directions, by default both; nothing is lost."""
        for way in ways or Way:
            self._flowing[way].clear()

    def flow(self, *ways: Way) -> None:
        """Go on after ``stall``."""
        for way in ways or Way:
            self._flowing[way].set()

    def reset(self) -> None:
        """End every link with RST."""
        for link in tuple(self.links):
            link.close(hard=True)

    def cut(self) -> None:
        """End every link properly."""
        for link in tuple(self.links):
            link.close(hard=False)

    def passed(self, way: Way) -> int:
        """Return how many bytes the open links have passed on."""
        return sum(link.passed[way] for link in self.links)

    # How it works.

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        if len(self._tasks) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.is_half_open:
                await asyncio.Event().wait()
            await self._link(reader, writer)
        except OSError:
            writer.transport.abort()  # the hub is not there
        finally:
            writer.close()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_hub, to_hub = await asyncio.open_connection(*self._hub)
        link = Link(writer, to_hub)
        self.links.add(link)
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self._pump(link, Way.UP, reader)),
            asyncio.create_task(self._pump(link, Way.DOWN, from_hub)),
            asyncio.create_task(link.ended.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.links.discard(link)
            link.close(hard=False)

    async def _pump(self, link: Link, way: Way, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK_BYTES):
                await self._pass(link, way, piece)

    async def _pass(self, link: Link, way: Way, piece: bytes) -> None:
        """Pass a piece on; the link ends when that is the last that may pass."""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._flowing[way].wait()
        most = self.cut_after[way]
        kept = piece if most is None else piece[: max(0, most - link.passed[way])]
        for part in _parts(kept, split=self.split):
            link.ends[way].write(part)
            await link.ends[way].drain()
            link.passed[way] += len(part)
            if self.split:
                await asyncio.sleep(0)  # else the kernel would join what was written in one go
        if most is not None and link.passed[way] >= most:
            link.close(hard=False)


def _parts(piece: bytes, *, split: bool) -> list[bytes]:
    return [piece[at : at + 1] for at in range(len(piece))] if split else [piece]
