import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channels import feed as feed_module
from channels.doorbell.hint import Doubt, Hear
from channels.doorbell.memory import MemoryDoorbell
from channels.doorbell.missing import MissingDoorbell
from channels.events import Event
from channels.feed import Feed
from channels.ring import Ring
from channels.subscription import JobSubscription, SubscriptionClosed
from tests.unit.feed_world import FakeLog, LogDown, Watcher, numbers
from tests.unit.virtual_time import VirtualLoop, now_s, on_virtual_time, settle

JOBS = st.integers(1, 3)


class FeedModel(RuleBasedStateMachine):
    """Everything that may go wrong between a commit and a watcher; the log is the oracle."""

    make_feed: Callable[..., Feed] = Feed

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.stack = AsyncExitStack()
        self.log = FakeLog()
        self.on_the_way: list[Event] = []
        self.watchers: list[Watcher] = []

    @initialize(
        old=st.lists(JOBS, max_size=5),
        ring_events=st.integers(1, 12),
        ring_bytes=st.sampled_from([3, 10, 1000]),
    )
    def start(self, old: list[int], ring_events: int, ring_bytes: int) -> None:
        self.log.commit(*old)
        feed = type(self).make_feed(self.log, ring_events=ring_events, ring_bytes=ring_bytes)
        self.feed = self.runner.run(self.stack.enter_async_context(feed.running()))

    @rule(jobs=st.lists(JOBS, min_size=1, max_size=6))
    def commit(self, jobs: list[int]) -> None:
        self.on_the_way += self.log.commit(*jobs)

    @rule(jobs=st.lists(JOBS, min_size=1, max_size=6))
    def commit_and_offer(self, jobs: list[int]) -> None:
        self.offer(self.log.commit(*jobs))

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def offer_some_in_any_order(self, data: st.DataObject) -> None:
        batch = data.draw(st.lists(st.sampled_from(self.on_the_way), max_size=8), "batch")
        for event in batch:
            if event in self.on_the_way and data.draw(st.booleans(), "never again"):
                self.on_the_way.remove(event)
        self.offer(batch)

    @rule()
    def lose_what_is_on_the_way(self) -> None:
        self.on_the_way.clear()

    @rule(back=st.integers(0, 3))
    def hear_a_hint(self, back: int) -> None:
        last = max(0, len(self.log.events) - back)
        self.call(self.feed.hint, last, last)

    @rule(count=st.integers(1, 3), linger_s=st.sampled_from([0.0, 0.005, 0.3]))
    def disturb_the_log(self, count: int, linger_s: float) -> None:
        self.log.failures_to_come = count
        self.log.linger_s = linger_s

    @precondition(lambda self: len(self.watchers) < 6)
    @rule(
        job=st.none() | JOBS,
        back=st.none() | st.integers(0, 20),
        limit=st.integers(1, 4),
        eager=st.booleans(),
    )
    def watch(self, job: int | None, back: int | None, limit: int, eager: bool) -> None:
        after = None if back is None else max(0, len(self.log.events) - back)
        watcher = Watcher(self.feed, job, after, limit)
        self.watchers.append(watcher)
        if eager:
            self.call(watcher.run)

    @precondition(lambda self: self.watchers)
    @rule(data=st.data())
    def wake_a_watcher(self, data: st.DataObject) -> None:
        self.call(data.draw(st.sampled_from(self.watchers)).run)

    @precondition(lambda self: self.watchers)
    @rule(data=st.data())
    def interrupt_a_watcher(self, data: st.DataObject) -> None:
        self.runner.run(data.draw(st.sampled_from(self.watchers)).rest())

    @precondition(lambda self: self.watchers)
    @rule(data=st.data())
    def take_a_watcher_away(self, data: st.DataObject) -> None:
        watcher = data.draw(st.sampled_from(self.watchers))
        self.watchers.remove(watcher)
        self.runner.run(watcher.leave())

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.019, 0.021, 0.5, 3.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @invariant()
    def nobody_has_seen_anything_wrong(self) -> None:
        for watcher in self.watchers:
            watcher.check(self.log, complete=False)

    def teardown(self) -> None:
        try:
            if hasattr(self, "feed"):
                self.runner.run(self.quiet())
                for watcher in self.watchers:
                    watcher.check(self.log, complete=True)
        finally:
            self.runner.run(self.stack.aclose())
            for watcher in self.watchers:
                self.runner.run(watcher.leave())
            self.runner.close()

    async def quiet(self) -> None:
        self.log.failures_to_come = 0
        self.log.linger_s = 0.0
        for watcher in self.watchers:
            watcher.run()
        await asyncio.sleep(20)
        assert self.feed.head == len(self.log.events)
        assert self.feed.behind == 0
        assert self.feed._held == {}

    def offer(self, events: list[Event]) -> None:
        if events:
            self.call(self.feed.offer, events)

    def call(self, action: Callable[..., None], *args: Any) -> None:
        """Call something that needs a running loop, and let nothing else run."""

        async def inside() -> None:
            action(*args)

        self.runner.run(inside())


FeedModel.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, print_blob=True
)
TestOfEverySequenceOfMishapsNoWatcherMissesAnything = FeedModel.TestCase


class Relay(Feed):
    """Plain publish and subscribe: passes on whatever comes, and knows of no holes."""

    def _accept(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.gseq > self.head:
                self.ring.head = event.gseq - 1
                self._emit(event)


class NoCatchUp(Feed):
    """Holds back, but never asks the log."""

    async def _catch_up(self) -> None:
        await asyncio.Event().wait()


class NoPoll(Feed):
    """Trusts offers and hints to say everything."""

    async def _poll(self) -> None:
        await asyncio.Event().wait()


class OneFloor(Feed):
    """Forgets to tell late watchers that their events have left the ring."""

    def _emit(self, event: Event) -> None:
        super()._emit(event)
        for topic in self._topics.values():
            topic.floor = 0


class NoTails(Feed):
    """Wakes the watchers of a job only."""

    def _emit(self, event: Event) -> None:
        asleep, self._tails = self._tails, set()
        super()._emit(event)
        self._tails = asleep


class Impatient(Feed):
    """Says that the log has nothing where it has not looked."""

    async def read_log(self, after: int, limit: int) -> list[Event]:
        return []


@pytest.mark.parametrize("broken", [Relay, NoCatchUp, NoPoll, OneFloor, NoTails, Impatient])
def test_the_model_finds_a_feed_that_loses_events(broken: type[Feed]) -> None:
    class Broken(FeedModel):
        make_feed = broken

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Broken,
            settings=settings(
                max_examples=300,
                stateful_step_count=30,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


@on_virtual_time
async def test_an_event_offered_in_order_is_there_without_any_read() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        watcher = Watcher(feed, 1, None, 10)
        watcher.run()
        feed.offer(log.commit(1, 2, 1))
        await settle()
        assert watcher.seen == [1, 3]
        assert log.reads == {"head": 1}
        await watcher.leave()


@on_virtual_time
async def test_a_hole_that_closes_within_the_grace_costs_no_read() -> None:
    log = FakeLog()
    async with Feed(log, grace_s=0.02).running() as feed:
        first, second = log.commit(1, 1)
        feed.offer([second])
        assert (feed.head, feed.behind) == (0, 2)
        await asyncio.sleep(0.01)
        feed.offer([first])
        assert (feed.head, feed.behind) == (2, 0)
        await asyncio.sleep(0.1)
        assert log.reads["read"] == 0


@on_virtual_time
async def test_a_hole_that_stays_is_filled_from_the_log_after_the_grace() -> None:
    log = FakeLog()
    async with Feed(log, grace_s=0.02).running() as feed:
        subscription = feed.watch(1)
        feed.offer(log.commit(1, 1, 1)[1:])
        assert numbers(await subscription.next()) == [1, 2, 3]
        assert now_s() == pytest.approx(0.02, abs=0.001)
        assert log.reads["read"] == 1
        feed.offer(log.commit(1, 1)[1:])
        assert numbers(await subscription.next()) == [4, 5]
        assert now_s() == pytest.approx(0.04, abs=0.001)


@on_virtual_time
async def test_the_safety_poll_finds_events_that_nobody_offered() -> None:
    log = FakeLog()
    async with Feed(log, poll_s=1.0).running() as feed:
        subscription = feed.watch(1)
        log.commit(1)
        assert numbers(await subscription.next()) == [1]
        assert now_s() == pytest.approx(1.0, abs=0.01)


@on_virtual_time
async def test_catching_up_goes_on_page_by_page_to_the_end() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        log.commit(*[1] * (2 * feed_module.CATCH_UP_PAGE + 1))
        feed.hint(1, len(log.events))
        await settle()
        assert feed.head == len(log.events)
        assert log.reads["read"] == 3


@on_virtual_time
async def test_many_hints_during_one_read_lead_to_one_more_read() -> None:
    log = FakeLog()
    log.linger_s = 0.006
    async with Feed(log).running() as feed:
        for _ in range(100):
            log.commit(1)
            feed.hint(1, len(log.events))
            await asyncio.sleep(0.0001)
        await asyncio.sleep(0.1)
        assert feed.head == 100
        assert log.reads["read"] == 2


@on_virtual_time
async def test_events_far_ahead_of_a_hole_are_not_hoarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MAX_AHEAD", 10)
    log = FakeLog()
    async with Feed(log).running() as feed:
        subscription = feed.watch(1)
        feed.offer(log.commit(*[1] * 1000)[1:])
        assert len(feed._held) == 9
        await asyncio.sleep(0.1)
        assert len(await subscription.next(2000)) == 1000
        assert feed._held == {}


@on_virtual_time
async def test_a_feed_outlives_a_log_that_is_down(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        subscription = feed.watch(1)
        log.failures_to_come = 10
        log.commit(1)
        assert numbers(await subscription.next()) == [1]
        assert "feed.poll.failed again_in_s=0.1" in caplog.text
        assert "feed.poll.failed again_in_s=5.0" in caplog.text


@on_virtual_time
async def test_a_log_that_is_down_at_the_start_is_the_callers_affair() -> None:
    log = FakeLog()
    log.failures_to_come = 1
    with pytest.raises(LogDown):
        async with Feed(log).running():
            pass


@on_virtual_time
async def test_a_log_with_a_hole_is_reported_and_followed_again_when_it_heals(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        whole = log.commit(1, 1, 1)
        log.events = [whole[0], whole[2], whole[2]]
        feed.hint(1, 3)
        await asyncio.sleep(3)
        assert feed.head == 1
        assert "no event 2 in the log, though 3 was heard of" in caplog.text
        log.events = whole
        await asyncio.sleep(10)
        assert feed.head == 3


@on_virtual_time
async def test_a_hint_that_is_wrong_is_forgotten() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        feed.hint(1, 99)
        await asyncio.sleep(30)
        assert feed.behind == 0
        assert log.reads["read"] == 1
        feed.offer(log.commit(1))
        assert feed.head == 1


@on_virtual_time
async def test_a_log_whose_head_went_back_raises_the_alarm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = FakeLog()
    log.commit(1, 1)
    async with Feed(log).running():
        log.events.pop()
        await asyncio.sleep(1.5)
        assert "feed.log_went_back head=2 log_head=1" in caplog.text


@on_virtual_time
async def test_feeds_that_share_a_doorbell_hear_of_each_others_commits_at_once() -> None:
    log, doorbell = FakeLog(), MemoryDoorbell()
    async with Feed(log, doorbell).running() as here, Feed(log, doorbell).running() as there:
        await settle()
        subscription = there.watch(1)
        here.offer(log.commit(1, 1))
        assert numbers(await subscription.next()) == [1, 2]
        assert now_s() < 0.01
        assert log.reads["read"] == 1  # the one who rang reads nothing


class CrackedDoorbell:
    """Breaks at first, is cut later, and then works."""

    fault: str | None = None

    def __init__(self) -> None:
        self.calls = 0
        self.ears: list[tuple[Hear, Doubt]] = []

    def ring(self, first: int, last: int) -> None:
        pass

    async def listen(self, hear: Hear, doubt: Doubt) -> None:
        self.calls += 1
        if self.calls == 1:
            raise OSError("no route")
        if self.calls == 2:
            return
        self.ears.append((hear, doubt))
        await asyncio.Event().wait()


@on_virtual_time
async def test_a_feed_listens_again_when_the_doorbell_breaks() -> None:
    log, doorbell = FakeLog(), CrackedDoorbell()
    async with Feed(log, doorbell, poll_s=1000).running() as feed:
        subscription = feed.watch(1)
        await asyncio.sleep(1)
        assert doorbell.calls == 3
        log.commit(1)
        ((hear, _),) = doorbell.ears
        hear(1, 1)
        assert numbers(await subscription.next()) == [1]
        assert now_s() == pytest.approx(1.0, abs=0.01)


@on_virtual_time
async def test_a_feed_looks_into_the_log_at_once_when_hints_may_have_been_lost() -> None:
    log, doorbell = FakeLog(), CrackedDoorbell()
    async with Feed(log, doorbell, poll_s=1000).running() as feed:
        subscription = feed.watch(1)
        log.commit(1)
        assert numbers(await subscription.next()) == [1]
        assert doorbell.calls == 1
        assert now_s() == pytest.approx(0.0, abs=0.01)
        await asyncio.sleep(1)
        log.commit(1)
        ((_, doubt),) = doorbell.ears
        doubt()
        assert numbers(await subscription.next()) == [2]
        assert now_s() == pytest.approx(1.0, abs=0.01)


@on_virtual_time
async def test_a_feed_looks_into_the_log_more_often_while_the_doorbell_has_a_fault() -> None:
    log, doorbell = FakeLog(), MissingDoorbell("nobody rings")
    async with Feed(log, doorbell, poll_s=1.0, deaf_poll_s=0.25).running() as feed:
        subscription = feed.watch(1)
        log.commit(1)
        assert numbers(await subscription.next()) == [1]
        assert now_s() == pytest.approx(0.25, abs=0.01)
        doorbell.fault = None
        await asyncio.sleep(0.3)
        before_s = now_s()
        log.commit(1)
        assert numbers(await subscription.next()) == [2]
        assert now_s() - before_s > 0.5


@on_virtual_time
async def test_an_event_wakes_the_watchers_of_its_job_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    woken = []
    monkeypatch.setattr(JobSubscription, "wake", lambda self: woken.append(self.job))
    log = FakeLog()
    async with Feed(log).running() as feed:
        with feed.watch(1), feed.watch(1), feed.watch(2):
            feed.offer(log.commit(1, 3))
            assert woken == [1, 1]


@on_virtual_time
async def test_the_end_of_a_feed_ends_its_subscriptions_and_its_tasks() -> None:
    log = FakeLog()
    tasks = asyncio.all_tasks()
    async with Feed(log).running() as feed:
        feed.offer(log.commit(1, 1)[1:])  # a grace is running
        feed.watch(1)
        reading = asyncio.create_task(feed.watch(2).next())
        await settle()
    with pytest.raises(SubscriptionClosed):
        await reading
    assert feed._topics == {}
    assert asyncio.all_tasks() == tasks


@on_virtual_time
async def test_a_reader_of_the_whole_log_begins_in_the_log_and_goes_on_in_memory() -> None:
    log = FakeLog()
    log.commit(1, 2, 3, 1)
    async with Feed(log).running() as feed:
        with feed.follow(1) as tail:
            assert numbers(await tail.next(2)) == [2, 3]
            assert numbers(await tail.next()) == [4]
            reading = asyncio.create_task(tail.next())
            await settle()
            feed.offer(log.commit(2, 3))
            assert numbers(await reading) == [5, 6]
            assert log.reads["read"] == 2
        assert feed._tails == set()


@on_virtual_time
async def test_what_was_removed_from_the_log_holds_up_nobody() -> None:
    log = FakeLog()
    log.commit(1, 1)
    async with Feed(log).running() as feed:
        log.events = []
        with feed.follow(0) as tail:
            reading = asyncio.create_task(tail.next())
            await settle()
            assert tail.position == 2
            assert not reading.done()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@on_virtual_time
async def test_the_end_of_a_feed_ends_its_tails() -> None:
    async with Feed(FakeLog()).running() as feed:
        reading = asyncio.create_task(feed.follow(0).next())
        await settle()
    with pytest.raises(SubscriptionClosed):
        await reading
    assert feed._tails == set()


def test_a_feed_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Feed(FakeLog()).watch(1)


def test_the_newest_event_of_a_job_is_known_while_it_is_kept() -> None:
    ring = Ring(0, max_events=2, max_bytes=1_000)
    first, second, third, fourth = FakeLog().commit(1, 1, 2, 2)
    for event in (first, second):
        ring.append(event)
    assert (ring.newest(1), ring.newest(2)) == (second, None)

    for event in (third, fourth):
        ring.append(event)

    assert (ring.newest(1), ring.newest(2)) == (None, fourth)


def test_the_head_of_a_ring_moves_by_one_only() -> None:
    first, second, _ = FakeLog().commit(1, 1, 1)
    ring = Ring(0, max_events=10, max_bytes=1000)
    with pytest.raises(AssertionError, match="event 2 cannot follow 0"):
        ring.append(second)
    ring.append(first)
    with pytest.raises(AssertionError, match="event 1 cannot follow 1"):
        ring.append(first)


def test_a_ring_is_limited_by_number_and_by_bytes_and_keeps_its_index_in_step() -> None:
    log = FakeLog()
    ring = Ring(0, max_events=3, max_bytes=100)
    gone = [ring.append(event) for event in log.commit(1, 2, 1, 3)]
    assert [numbers(events) for events in gone] == [[], [], [], [1]]
    assert (ring.floor, ring.head) == (1, 4)
    assert numbers(ring.of_job(1, 0, 10)) == [3]
    assert numbers(ring.append(*log.commit(4, data=b"x" * 97))) == [2, 3]
    assert ring.of_job(1, 0, 10) == []
    assert numbers(ring.append(*log.commit(5, data=b"x" * 101))) == [4, 5, 6]
    assert (ring.floor, ring.head) == (6, 6)


def test_a_ring_finds_the_events_behind_every_position() -> None:
    log = FakeLog()
    ring = Ring(0, max_events=40, max_bytes=1000)
    for event in log.commit(*[1, 2, 1, 1, 3] * 10):
        ring.append(event)
    for after in range(55):
        expected = [g for g in numbers(log.of_job(1, after)) if g > ring.floor]
        assert numbers(ring.of_job(1, after, 100)) == expected
        assert numbers(ring.of_job(1, after, 2)) == expected[:2]
        expected = [g for g in numbers(log.of_job(None, after)) if g > ring.floor]
        assert numbers(ring.after(after, 100)) == expected
        assert numbers(ring.after(after, 2)) == expected[:2]
