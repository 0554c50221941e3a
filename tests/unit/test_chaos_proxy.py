"""The chaos proxy: what it is told to do, and that it leaves nothing behind."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bench.client import Address
from tests.faults.chaos_proxy import ChaosProxy, Way

LIMIT_S = 5.0
QUIET_S = 0.1
"""How long nothing may come before it is believed that nothing does."""


class Echo:
    """A server that gives back every piece it gets, and counts the pieces."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Address]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield Address(*server.sockets[0].getsockname()[:2])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1_024):
                self.pieces.append(piece)
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[ChaosProxy, Echo]]:
    echo = Echo()
    async with echo.running() as address, ChaosProxy(address).running() as proxy:
        yield proxy, echo


class Peer:
    """A client of the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self._reader.readexactly(count)

    async def rest(self) -> bytes:
        async with asyncio.timeout(LIMIT_S):
            return await self._reader.read()

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(QUIET_S):
                return not await self._reader.read(1)
        except TimeoutError:
            return True


@asynccontextmanager
async def dialled(proxy: ChaosProxy) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection(*proxy.address)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


async def test_left_alone_it_passes_everything_on() -> None:
    sent = bytes(range(256)) * 400
    async with proxied() as (proxy, _), dialled(proxy) as peer:
        peer.writer.write(sent)

        assert await peer.read(len(sent)) == sent
        assert [proxy.passed(way) for way in Way] == [len(sent)] * 2


@pytest.mark.parametrize("way", Way)
async def test_a_stall_holds_one_direction_back_and_loses_nothing(way: Way) -> None:
    async with proxied() as (proxy, echo), dialled(proxy) as peer:
        proxy.stall(way)
        peer.writer.write(b"hello")

        assert await peer.hears_nothing()
        assert bool(echo.pieces) is (way is Way.DOWN)
        proxy.flow(way)
        assert await peer.read(5) == b"hello"


async def test_both_directions_stall_at_once() -> None:
    async with proxied() as (proxy, echo), dialled(proxy) as peer:
        proxy.stall()
        peer.writer.write(b"hello")

        assert await peer.hears_nothing()
        assert echo.pieces == []


async def test_a_reset_is_an_error_at_both_ends() -> None:
    async with proxied() as (proxy, echo), dialled(proxy) as peer:
        peer.writer.write(b"hello")
        await peer.read(5)

        proxy.reset()

        with pytest.raises(ConnectionResetError):
            await peer.rest()
        await asyncio.wait_for(echo.ended.wait(), LIMIT_S)


async def test_a_cut_is_a_proper_end() -> None:
    async with proxied() as (proxy, _), dialled(proxy) as peer:
        peer.writer.write(b"hello")
        await peer.read(5)

        proxy.cut()

        assert await peer.rest() == b""


async def test_a_half_open_connection_is_taken_and_never_answered() -> None:
    async with proxied() as (proxy, echo):
        proxy.is_half_open = True
        async with dialled(proxy) as peer:
            peer.writer.write(b"hello")

            assert await peer.hears_nothing()
            assert (proxy.taken, echo.pieces) == (1, [])


async def test_a_delay_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    async with proxied() as (proxy, _), dialled(proxy) as peer:
        proxy.delay_s = 0.05
        began_s = loop.time()
        peer.writer.write(b"hello")
        await peer.read(5)

        assert loop.time() - began_s >= 0.1


async def test_split_bytes_come_one_by_one() -> None:
    async with proxied() as (proxy, echo), dialled(proxy) as peer:
        proxy.split = True
        peer.writer.write(b"hello")

        assert await peer.read(5) == b"hello"
        assert b"".join(echo.pieces) == b"hello"
        assert len(echo.pieces) > 1


@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("most", [0, 1, 4, 5])
async def test_a_link_is_cut_after_so_many_bytes(way: Way, most: int) -> None:
    async with proxied() as (proxy, echo), dialled(proxy) as peer:
        proxy.cut_after[way] = most
        peer.writer.write(b"hello")

        told = await peer.rest()
        await asyncio.wait_for(echo.ended.wait(), LIMIT_S)

        if way is Way.DOWN:
            assert told == b"hello"[:most]
        else:
            assert b"".join(echo.pieces) == b"hello"[:most]


async def test_every_new_link_counts_for_itself() -> None:
    async with proxied() as (proxy, _):
        proxy.cut_after[Way.DOWN] = 3
        for _ in range(2):
            async with dialled(proxy) as peer:
                peer.writer.write(b"hello")
                assert await peer.rest() == b"hel"
        assert proxy.taken == 2


async def test_a_hub_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = Address(*free.getsockname()[:2])
    async with ChaosProxy(nobody).running() as proxy, dialled(proxy) as peer:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await peer.read(1)


async def test_it_leaves_no_task_and_no_connection_behind() -> None:
    before = asyncio.all_tasks()
    async with proxied() as (proxy, echo):
        async with dialled(proxy) as peer:
            peer.writer.write(b"hello")
            await peer.read(5)
            proxy.stall()
            peer.writer.write(b"more")
        proxy.is_half_open = True
        reader, writer = await asyncio.open_connection(*proxy.address)
        async with asyncio.timeout(LIMIT_S):
            while proxy.taken < 2:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.001)
    assert proxy.links == set()
    await asyncio.wait_for(echo.ended.wait(), LIMIT_S)
    await asyncio.wait_for(reader.read(), LIMIT_S)
    writer.close()
    for task in asyncio.all_tasks() - before:
        await asyncio.wait_for(task, LIMIT_S)
