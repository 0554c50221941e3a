import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from channels import feed as feed_module
from channels.feed import Feed
from channels.subscription import SubscriptionClosed
from tests.unit.feed_world import FakeLog, LogDown, numbers
from tests.unit.virtual_time import now_s, on_virtual_time, settle

BURSTS = st.lists(st.lists(st.integers(1, 2), max_size=6), max_size=12)


class BusyLog(FakeLog):
    """Commits and offers the next burst at every `await` of every read."""

    def __init__(self) -> None:
        super().__init__()
        self.feed: Feed | None = None
        self.bursts: list[list[int]] = []

    async def pause(self, what: str) -> None:
        self.burst()
        await super().pause(what)
        self.burst()

    def burst(self) -> None:
        if self.feed is not None and self.bursts:
            self.feed.offer(self.commit(*self.bursts.pop()))


Read = Callable[[FakeLog, Feed, int, int], Awaitable[list[int]]]


async def watch_from(log: FakeLog, feed: Feed, after: int, limit: int) -> list[int]:
    """The way it is meant."""
    seen: list[int] = []
    with feed.watch(1, after) as subscription:
        while len(seen) < len(log.of_job(1, after)):
            seen += numbers(await asyncio.wait_for(subscription.next(limit), 10))
    return seen


async def read_then_register(log: FakeLog, feed: Feed, after: int, limit: int) -> list[int]:
    """The obvious way, which loses what is committed between its two steps."""
    seen = numbers(await log.read_jobs([1], after, feed.head, 10_000))
    with feed.watch(1) as subscription:
        while len(seen) < len(log.of_job(1, after)):
            seen += numbers(await asyncio.wait_for(subscription.next(limit), 10))
    return seen


async def register_then_read_all(log: FakeLog, feed: Feed, after: int, limit: int) -> list[int]:
    """The next best way, which gets some events twice."""
    with feed.watch(1) as subscription:
        seen = numbers(await log.read_jobs([1], after, 2**63 - 1, 10_000))
        while len(seen) < len(log.of_job(1, after)):
            seen += numbers(await asyncio.wait_for(subscription.next(limit), 10))
        while feed.ring.of_job(1, subscription.position, 1):
            seen += numbers(await subscription.next(limit))
    return seen


def hand_over(read: Read) -> Callable[[], None]:
    @settings(
        max_examples=200,
        deadline=None,
        phases=[Phase.generate] if read is not watch_from else list(Phase),
        report_multiple_bugs=False,
    )
    @given(
        old=st.lists(st.integers(1, 2), max_size=12),
        after=st.integers(0, 14),
        bursts=BURSTS,
        ring_events=st.integers(1, 6),
        limit=st.integers(1, 3),
    )
    @on_virtual_time
    async def check(
        old: list[int], after: int, bursts: list[list[int]], ring_events: int, limit: int
    ) -> None:
        log = BusyLog()
        async with Feed(log, ring_events=ring_events).running() as feed:
            feed.offer(log.commit(*old))
            after = min(after, feed.head)
            log.feed, log.bursts = feed, [*bursts]
            seen = await read(log, feed, after, limit)
            assert seen == numbers(log.of_job(1, after))

    return check


test_a_hand_over_under_fire_is_exact = hand_over(watch_from)


def test_a_hand_over_that_reads_before_it_registers_is_found_out() -> None:
    with pytest.raises((AssertionError, TimeoutError)):
        hand_over(read_then_register)()


def test_a_hand_over_that_overlaps_is_found_out() -> None:
    with pytest.raises(AssertionError):
        hand_over(register_then_read_all)()


@on_virtual_time
async def test_a_subscription_without_a_position_begins_with_the_next_event() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        feed.offer(log.commit(1, 1))
        with feed.watch(1) as subscription:
            assert subscription.position == 2
            feed.offer(log.commit(1))
            assert numbers(await subscription.next()) == [3]


@on_virtual_time
async def test_news_that_piles_up_comes_in_one_piece_and_at_once() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        with feed.watch(1) as subscription:
            reading = asyncio.create_task(subscription.next())
            await settle()
            for _ in range(5):
                feed.offer(log.commit(1, 2))
            before = now_s()
            assert numbers(await reading) == [1, 3, 5, 7, 9]
            assert now_s() == before


@on_virtual_time
async def test_a_limit_cuts_the_news_and_the_rest_follows() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        with feed.watch(1) as subscription:
            feed.offer(log.commit(*[1] * 5))
            pieces = [numbers(await subscription.next(2)) for _ in range(3)]
            assert pieces == [[1, 2], [3, 4], [5]]


@on_virtual_time
async def test_a_position_ahead_of_the_feed_leaves_out_what_lies_before_it() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        with feed.watch(1, after=3) as subscription:
            reading = asyncio.create_task(subscription.next())
            for _ in range(4):
                feed.offer(log.commit(1))
                await settle()
            assert numbers(await reading) == [4]


@on_virtual_time
async def test_a_reader_that_fell_off_the_ring_gets_pages_from_the_log_without_a_gap() -> None:
    log = FakeLog()
    async with Feed(log, ring_events=10).running() as feed:
        with feed.watch(1) as subscription:
            feed.offer(log.commit(*[1, 2] * 50))
            assert subscription.is_off_ring
            seen: list[int] = []
            while len(seen) < 50:
                seen += numbers(await subscription.next(7))
            assert seen == numbers(log.of_job(1, 0))
            reads = log.reads["read_jobs"]
            feed.offer(log.commit(1))
            assert numbers(await subscription.next()) == [101]
            assert log.reads["read_jobs"] == reads


@on_virtual_time
async def test_the_watcher_of_a_quiet_job_reads_no_log_because_others_fill_the_ring() -> None:
    log = FakeLog()
    async with Feed(log, ring_events=5).running() as feed:
        with feed.watch(1) as subscription:
            for _ in range(3):
                feed.offer(log.commit(*[2] * 20, 1))
                assert len(await subscription.next()) == 1
            assert log.reads["read_jobs"] == 0


@on_virtual_time
async def test_at_most_four_readers_catch_up_at_once_and_they_take_turns() -> None:
    log = FakeLog()
    log.linger_s = 0.01
    async with Feed(log, ring_events=1).running() as feed:
        feed.offer(log.commit(*range(1, 13), *range(1, 13), 99))
        finished: list[int] = []

        async def read_two_pages(job: int) -> None:
            with feed.watch(job, after=0) as subscription:
                for _ in range(2):
                    await subscription.next(1)
                    finished.append(job)

        async with asyncio.TaskGroup() as group:
            for job in range(1, 13):
                group.create_task(read_two_pages(job))
        assert sorted(finished[:12]) == sorted(finished[12:]) == [*range(1, 13)]
        assert log.most_readers == feed_module.CATCH_UP_READERS == 4


@on_virtual_time
async def test_a_reader_outlives_a_log_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeLog()
    async with Feed(log, ring_events=1).running() as feed:
        feed.offer(log.commit(1, 1, 1))
        log.failures_to_come = 3
        with feed.watch(1, after=0) as subscription:
            assert numbers(await subscription.next()) == [1, 2, 3]
    assert LogDown.__name__ in caplog.text


@on_virtual_time
async def test_closing_ends_a_reader_that_waits_and_one_that_comes_later() -> None:
    async with Feed(FakeLog()).running() as feed:
        subscription = feed.watch(1)
        reading = asyncio.create_task(subscription.next())
        await settle()
        subscription.close()
        subscription.close()
        with pytest.raises(SubscriptionClosed):
            await reading
        with pytest.raises(SubscriptionClosed):
            await subscription.next()


@on_virtual_time
async def test_a_cancelled_reader_loses_nothing_at_any_point() -> None:
    log = FakeLog()
    log.linger_s = 0.01
    async with Feed(log, ring_events=3).running() as feed:
        with feed.watch(1) as subscription:
            seen: list[int] = []
            for step in range(200):
                feed.offer(log.commit(*[1] * (step % 7)))
                try:
                    async with asyncio.timeout(0.003 * (step % 11)):
                        seen += numbers(await subscription.next(5))
                except TimeoutError:
                    continue
            while len(seen) < len(log.events):
                seen += numbers(await subscription.next())
            assert seen == numbers(log.events)


@on_virtual_time
async def test_a_thousand_watchers_that_come_and_go_leave_nothing_behind() -> None:
    log = FakeLog()
    async with Feed(log, ring_events=2).running() as feed:
        feed.offer(log.commit(1, 1, 1, 1))
        for job in range(1000):
            with feed.watch(job % 10), feed.watch(job, after=0):
                pass
        assert feed._topics == {}


@pytest.mark.parametrize("after", [None, 0], ids=["asleep", "in the log"])
@on_virtual_time
async def test_a_thousand_cancelled_readers_leave_nothing_behind(after: int | None) -> None:
    log = FakeLog()
    async with Feed(log, ring_events=2).running() as feed:
        feed.offer(log.commit(1, 1, 1, 1))
        log.linger_s = 1.0

        async def read() -> None:
            with feed.watch(1, after) as subscription:
                await subscription.next()

        tasks = asyncio.all_tasks()
        readers = [asyncio.create_task(read()) for _ in range(1000)]
        await settle()
        assert len(feed._topics[1].watchers) == 1000
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        assert (feed._topics, log.readers) == ({}, 0)
        assert asyncio.all_tasks() == tasks
        log.linger_s = 0.0
        with feed.watch(1, after=0) as subscription:  # and the four places are free again
            assert len(await subscription.next()) == 4


# --- A listener in place of the reader ------------------------------------------------------------


async def test_a_listener_takes_what_is_there_while_the_reader_sleeps() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        subscription = feed.watch(1)
        calls: list[str] = []
        subscription.listener = lambda: calls.append("news")
        reading = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        feed.offer(log.commit(1, 1))
        assert calls == ["news", "news"]
        taken = subscription.take(10, 1_000)
        assert taken is not None
        assert [event.seq for event in taken] == [1, 2]
        assert subscription.take(10, 1_000) == []
        feed.offer(log.commit(1, 1, data=b"x" * 600))
        assert subscription.take(10, 1_000) is None, "they are too large together"
        assert subscription.take(2, 10_000) is None, "there may be more"
        subscription.rouse()
        assert subscription.take(10, 10_000) is None, "the reader is awake"
        assert [event.seq for event in await reading] == [3, 4]


async def test_a_listener_hears_of_the_end_and_then_nothing_can_be_taken() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        subscription = feed.watch(1)
        subscription.listener = lambda: (
            None if subscription.take(10, 1_000) is not None else subscription.rouse()
        )
        reading = asyncio.create_task(subscription.next())
        await asyncio.sleep(0)
        subscription.close()
        with pytest.raises(SubscriptionClosed):
            await reading
