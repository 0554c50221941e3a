"""The doorbell over a real Redis, which is killed, paused and started again: T5, in one process."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from channels.doorbell.redis import LONGEST_PAUSE_S, SILENCE_S, UNREACHABLE, RedisDoorbell
from tests.servers import PrivateRedis, require

EPOCH = "k7f2q9x1ab"
LIMIT_S = 15.0


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateRedis]:
    require(PrivateRedis)
    with PrivateRedis() as server:
        yield server


@pytest.fixture
async def admin(server: PrivateRedis) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        yield client


class Ear:
    """A process's end of the line, and what it heard."""

    def __init__(self, url: str, epoch: str = EPOCH) -> None:
        self.bell = RedisDoorbell(url)
        self.bell.join(epoch)
        self.heard: list[tuple[int, int]] = []
        self.doubts = 0
        self._news = asyncio.Event()

    def hear(self, first: int, last: int) -> None:
        if last:
            self.heard.append((first, last))
            self._news.set()

    def doubt(self) -> None:
        self.doubts += 1
        self._news.set()

    async def until_fault_is(self, fault: str | None) -> float:
        """Return how long that took, in seconds."""
        began_s = time.monotonic()
        async with asyncio.timeout(LIMIT_S):
            while self.bell.fault != fault:
                await self._more()
        return time.monotonic() - began_s

    async def until_heard(self, last: int) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not any(rung[1] == last for rung in self.heard):
                await self._more()

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()


@asynccontextmanager
async def listening(url: str, epoch: str = EPOCH) -> AsyncIterator[Ear]:
    ear = Ear(url, epoch)
    task = asyncio.create_task(ear.bell.listen(ear.hear, ear.doubt))
    try:
        yield ear
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def here(server: PrivateRedis) -> AsyncIterator[Ear]:
    async with listening(server.url) as ear:
        await ear.until_fault_is(None)
        yield ear


@pytest.fixture
async def there(server: PrivateRedis) -> AsyncIterator[Ear]:
    async with listening(server.url) as ear:
        await ear.until_fault_is(None)
        yield ear


async def both_hear(here: Ear, there: Ear, gseq: int) -> None:
    for one, other, last in ((here, there, gseq), (there, here, gseq + 1)):
        one.bell.ring(last, last)
        await other.until_heard(last)


async def test_each_process_hears_the_other_soon(here: Ear, there: Ear) -> None:
    await both_hear(here, there, 7)
    took_s = []
    for gseq in range(10, 60):
        began_s = time.monotonic()
        here.bell.ring(gseq, gseq)
        await there.until_heard(gseq)
        took_s.append(time.monotonic() - began_s)
    assert sorted(took_s)[len(took_s) // 2] < 0.05


async def test_rings_of_one_turn_of_the_loop_are_one_message(here: Ear, there: Ear) -> None:
    for gseq in range(1, 1001):
        here.bell.ring(gseq, gseq)
    await there.until_heard(1000)
    assert there.heard == [(1, 1000)]


async def test_logs_of_different_epochs_do_not_hear_each_other(
    here: Ear, server: PrivateRedis
) -> None:
    async with listening(server.url, "another") as stranger:
        await stranger.until_fault_is(None)
        here.bell.ring(1, 1)
        await here.until_heard(1)
        stranger.bell.ring(2, 2)
        await stranger.until_heard(2)
        assert (here.heard, stranger.heard) == ([(1, 1)], [(2, 2)])


async def test_what_is_no_range_is_not_heard(here: Ear, admin: Redis) -> None:
    channel = f"hub:{EPOCH}:log"
    for text in (b"", b"x", b"1", b"-1-2", b"01-2", b"1-" + b"9" * 5_000, b"\xff\x00", b"1-2\n"):
        await admin.publish(channel, text)
    await admin.publish(channel, b"3-4")
    await here.until_heard(4)
    assert here.heard == [(3, 4)]


async def test_a_cut_subscription_is_doubted_and_mended(
    here: Ear, there: Ear, admin: Redis
) -> None:
    for turn in range(3):
        doubts = there.doubts
        assert await admin.client_kill_filter(_type="pubsub") == 2
        async with asyncio.timeout(LIMIT_S):
            while there.doubts < doubts + 2:  # it is cut, and it is mended
                await there._more()
        assert there.bell.fault is None
        await here.until_fault_is(None)
        await both_hear(here, there, 100 + 10 * turn)


async def test_a_server_that_dies_and_comes_back_empty_is_found_again(
    here: Ear, there: Ear, server: PrivateRedis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "channels")
    await asyncio.to_thread(server.kill9)
    await there.until_fault_is(UNREACHABLE)
    for gseq in range(1, 100_000):  # takes no memory, and raises nothing
        here.bell.ring(gseq, gseq)
    await asyncio.sleep(2 * LONGEST_PAUSE_S)
    doubts = there.doubts
    await asyncio.to_thread(server.restart)
    for ear in (here, there):
        assert await ear.until_fault_is(None) < LONGEST_PAUSE_S + 1
    assert there.doubts > doubts
    await both_hear(here, there, 200_000)
    told = [record.getMessage().split()[0] for record in caplog.records]
    assert told.count("doorbell.cut") == 2, "one line for each outage, not for each try"
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_server_that_hangs_is_noticed_and_does_not_hold_up_the_end(
    here: Ear, server: PrivateRedis
) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert await here.until_fault_is(UNREACHABLE) < SILENCE_S + 1
        async with listening(server.url) as late:
            await asyncio.sleep(0.2)
            assert late.bell.fault == UNREACHABLE
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 0.5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    await here.until_fault_is(None)
    here.bell.ring(5, 5)
    await here.until_heard(5)


async def test_a_server_that_pauses_its_clients_is_noticed(here: Ear, admin: Redis) -> None:
    await admin.client_pause(4_000)
    assert await here.until_fault_is(UNREACHABLE) < SILENCE_S + 1
    await here.until_fault_is(None)
    here.bell.ring(5, 5)
    await here.until_heard(5)


async def test_a_line_that_the_server_forgot_is_not_taken_for_a_quiet_one(here: Ear) -> None:
    channel = here.bell._channel
    here.bell._channel = "elsewhere"  # beats no longer come back, as after a lost subscription
    assert await here.until_fault_is(UNREACHABLE) < SILENCE_S + 1
    here.bell._channel = channel
    await here.until_fault_is(None)


async def test_a_server_that_is_away_at_the_start_is_waited_for(server: PrivateRedis) -> None:
    await asyncio.to_thread(server.kill9)
    async with listening(server.url) as ear:
        await asyncio.sleep(0.3)
        assert ear.bell.fault == UNREACHABLE
        ear.bell.ring(1, 3)
        await asyncio.to_thread(server.restart)
        await ear.until_fault_is(None)
        await ear.until_heard(3)
