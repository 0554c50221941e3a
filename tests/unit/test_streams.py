import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channels import feed as feed_module
from channels import streams as streams_module
from channels.conflation import TOLD, Entry, Mode, Told
from channels.events import Event
from channels.feed import Feed
from channels.selections import STAYS, OfFilter, OfJobs
from channels.streams import Reader, Stream, Window
from tests.unit.feed_world import FakeLog
from tests.unit.reader_world import AnySelection, Listener, StoryLog, Wanted, compare
from tests.unit.test_feed import FeedModel
from tests.unit.virtual_time import on_virtual_time, settle

SOME_JOBS = st.frozensets(st.integers(1, 3), min_size=1, max_size=2)
KINDS = st.sampled_from([frozenset[str](), frozenset({"t"}), frozenset({"p"})])
SELECTIONS = st.builds(OfJobs, SOME_JOBS, KINDS) | st.builds(
    OfFilter,
    statuses=st.frozensets(st.sampled_from(["QUEUED", "RUNNING", "COMPLETED"]), max_size=2),
    kinds=KINDS,
    templates=st.just(frozenset[int]()) | SOME_JOBS,
)
MODES: st.SearchStrategy[Mode] = st.sampled_from(["all", "latest", "none"])


class StreamModel(FeedModel):
    """All mishaps of the feed, and readers of selections, which may be slow."""

    def __init__(self) -> None:
        super().__init__()
        self.log = StoryLog()
        self.listeners: list[Listener] = []
        self.patch = pytest.MonkeyPatch()

    @initialize(
        kept=st.integers(1, 6),
        kept_bytes=st.sampled_from([3, 1 << 20]),
        window=st.integers(1, 4),
        page=st.integers(1, 5),
    )
    def make_everything_small(self, kept: int, kept_bytes: int, window: int, page: int) -> None:
        self.patch.setattr(streams_module, "KEPT_EVENTS", kept)
        self.patch.setattr(streams_module, "KEPT_BYTES", kept_bytes)
        self.patch.setattr(streams_module, "WINDOW_EVENTS", window)
        self.patch.setattr(streams_module, "PAGE", page)
        self.patch.setattr(feed_module, "PAGE", page)

    @precondition(lambda self: len(self.listeners) < 6)
    @rule(
        selection=SELECTIONS,
        back=st.none() | st.integers(0, 20),
        mode=MODES,
        eager=st.booleans(),
    )
    def listen(self, selection: AnySelection, back: int | None, mode: Mode, eager: bool) -> None:
        after = None if back is None else max(0, len(self.log.events) - back)
        listener = Listener(self.feed, selection, after, mode)
        self.listeners.append(listener)
        if eager:
            self.call(listener.run)

    @precondition(lambda self: self.listeners)
    @rule(data=st.data())
    def wake_a_listener(self, data: st.DataObject) -> None:
        self.call(data.draw(st.sampled_from(self.listeners)).run)

    @precondition(lambda self: self.listeners)
    @rule(data=st.data())
    def interrupt_a_listener(self, data: st.DataObject) -> None:
        self.runner.run(data.draw(st.sampled_from(self.listeners)).rest())

    @precondition(lambda self: self.listeners)
    @rule(data=st.data())
    def take_a_listener_away(self, data: st.DataObject) -> None:
        listener = data.draw(st.sampled_from(self.listeners))
        self.listeners.remove(listener)
        self.runner.run(listener.leave())

    @invariant()
    def nobody_was_told_anything_wrong(self) -> None:
        for listener in self.listeners:
            listener.check(self.log, complete=False)

    def teardown(self) -> None:
        try:
            if hasattr(self, "feed"):
                self.runner.run(self.quiet())
                for listener in self.listeners:
                    listener.check(self.log, complete=True)
            for listener in self.listeners:
                self.runner.run(listener.leave())
            assert not hasattr(self, "feed") or self.feed._streams == {}
            assert not hasattr(self, "feed") or self.feed._streams_of_job == {}
        finally:
            self.patch.undo()
            super().teardown()

    async def quiet(self) -> None:
        for listener in self.listeners:
            listener.run()
        await super().quiet()


StreamModel.TestCase.settings = settings(
    max_examples=120, stateful_step_count=30, deadline=None, print_blob=True
)
TestOfEverySequenceOfMishapsNoListenerIsToldAnythingWrong = StreamModel.TestCase


# --- Windows --------------------------------------------------------------------------------------


def told_in_windows(events: Sequence[Event], mode: Mode) -> list[Told]:
    """Return what a reader is told that takes a window after the other."""
    told: list[Told] = []
    position, is_cut = 0, True
    while is_cut:
        rest = [Entry(event, STAYS) for event in events if event.gseq > position]
        coming = streams_module.window(rest, mode, len(events))
        assert len(coming.told) <= streams_module.WINDOW_EVENTS
        assert coming.upto > position or not events
        told += coming.told
        position, is_cut = coming.upto, coming.is_cut
    return told


def windows_are_right(jobs: list[int], mode: Mode) -> None:
    events = StoryLog().commit(*jobs)
    all_of_it = [
        Wanted(event, entered=False, left=False)
        for event in events
        if mode != "none" or event.kind == "t"
    ]
    compare(all_of_it, told_in_windows(events, mode), mode)


@given(jobs=st.lists(st.integers(1, 4), max_size=40), mode=MODES, most=st.integers(1, 5))
@settings(deadline=None)
def test_window_by_window_everything_is_told_or_counted(
    jobs: list[int], mode: Mode, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams_module, "WINDOW_EVENTS", most)
        windows_are_right(jobs, mode)


def cut_what_is_told(entries: Sequence[Entry], mode: Mode, upto: int) -> Window:
    """Limit what is told, not what it is made of: a cut forgets what was left out."""
    told = TOLD[mode](entries)
    most = streams_module.WINDOW_EVENTS
    if len(told) > most:
        return Window(told[:most], told[most - 1].event.gseq, is_cut=True, faces={})
    return Window(told, upto, is_cut=False, faces={})


def test_a_cut_behind_the_conflation_would_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [1, 2, 1, 2, 1, 2, 1, 2]
    monkeypatch.setattr(streams_module, "WINDOW_EVENTS", 1)
    windows_are_right(jobs, "latest")

    monkeypatch.setattr(streams_module, "window", cut_what_is_told)
    with pytest.raises(AssertionError):
        windows_are_right(jobs, "latest")


# --- The model is strict enough -------------------------------------------------------------------


def drop_silently(stream: Stream) -> None:
    """Let go of an event, and do not tell those who have not seen it."""
    stream._entries.popleft()


def see_old_news(stream: Stream, position: int, mode: Mode, head: int) -> Window:
    """Keep for ever what there was to tell once, even nothing."""
    known: dict[Any, Window] = vars(stream).setdefault("old", {})
    if (position, mode) not in known:
        entries = stream._behind(position)
        known[position, mode] = streams_module.window(entries, mode, max(position, head))
    return known[position, mode]


async def look_at_the_ring_only(reader: Reader) -> Window:
    """Believe that the ring reaches back far enough."""
    events = reader._source.ring.after(reader.position, 1_000)
    judged = ((event, reader.stream.selection.judge(event)) for event in events)
    entries = [Entry(event, mark) for event, mark in judged if mark is not None]
    return streams_module.window(entries, reader.mode, reader._source.head)


BREAKAGES: dict[str, tuple[Any, str, Any]] = {
    "a floor that stays": (Stream, "_drop", drop_silently),
    "an old window": (Stream, "window", see_old_news),
    "a ring that is trusted": (Reader, "_look_back", look_at_the_ring_only),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_model_finds_streams_that_are_wrong(
    breakage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, broken = BREAKAGES[breakage]
    monkeypatch.setattr(owner, name, broken)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            StreamModel,
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


# --- Single facts ---------------------------------------------------------------------------------


def numbers(window: Window) -> list[int]:
    return [told.event.gseq for told in window.told]


@on_virtual_time
async def test_readers_of_the_same_have_one_stream_and_one_window() -> None:
    log = StoryLog()
    async with Feed(log).running() as feed:
        readers = [feed.read(OfFilter(), lambda: None) for _ in range(3)]
        feed.offer(log.commit(1, 2))
        first, second, third = [await reader.next() for reader in readers]
        assert first is second is third
        assert numbers(first) == [1, 2]
        encoded: list[Window] = []

        def encode(window: Window) -> bytes:
            encoded.append(window)
            return b"x"

        assert first.face("a", encode) == second.face("a", encode) == b"x"
        assert encoded == [first]
        assert len(feed._streams) == 1
        for reader in readers:
            reader.close()
        assert feed._streams == {}


@on_virtual_time
async def test_a_reader_is_woken_by_what_it_wants_and_by_nothing_else() -> None:
    log, woken = StoryLog(), []
    async with Feed(log).running() as feed:
        reader = feed.read(OfJobs(frozenset({2})), lambda: woken.append(feed.head))
        feed.offer(log.commit(1, 2, 3, 2))
        assert woken == [2, 4]
        window = await reader.next()
        assert (numbers(window), window.upto, window.is_cut) == ([2, 4], 4, False)
        feed.offer(log.commit(1))
        window = await reader.next()
        assert (window.told, window.upto, window.is_cut) == ([], 5, False)


@on_virtual_time
async def test_a_reader_begins_in_the_log_and_goes_on_through_the_ring_to_its_stream() -> None:
    log = StoryLog()
    log.commit(1, 2, 1)
    async with Feed(log).running() as feed:
        feed.offer(log.commit(2, 1))
        selection = OfJobs(frozenset({1}))
        feed.read(selection, lambda: None)  # its stream begins here
        reader = feed.read(selection, lambda: None, 0)
        assert (reader.is_off_stream, reader.is_off_ring) == (True, True)
        assert numbers(await reader.next()) == [1, 3, 5]
        assert log.reads["read_jobs"] == 1
        feed.offer(log.commit(1))
        assert not reader.is_off_stream
        assert numbers(await reader.next()) == [6]
        assert log.reads["read_jobs"] == 1


@pytest.mark.parametrize("selection", [OfFilter(), OfJobs(frozenset({1}))])
@on_virtual_time
async def test_many_that_are_equally_late_read_the_log_once(selection: AnySelection) -> None:
    log = StoryLog()
    log.commit(*[1] * 20)
    async with Feed(log).running() as feed:
        log.linger_s = 0.01
        readers = [feed.read(selection, lambda: None, 5) for _ in range(50)]
        windows = await asyncio.gather(*(reader.next() for reader in readers))
        assert {tuple(numbers(window)) for window in windows} == {tuple(range(6, 21))}
        assert log.reads["read"] + log.reads["read_jobs"] == 1


@on_virtual_time
async def test_who_is_behind_a_log_that_is_down_waits_for_it() -> None:
    log = StoryLog()
    log.commit(1, 1)
    async with Feed(log).running() as feed:
        log.failures_to_come = 3
        reader = feed.read(OfFilter(), lambda: None, 0)
        assert numbers(await reader.next()) == [1, 2]


@on_virtual_time
async def test_what_was_removed_from_the_log_holds_up_no_reader() -> None:
    log = StoryLog()
    log.commit(1, 1, 1)
    async with Feed(log).running() as feed:
        log.events = []
        reader = feed.read(OfFilter(), lambda: None, 0)
        window = await reader.next()
        assert (window.told, window.upto) == ([], 3)


@on_virtual_time
async def test_a_window_is_limited_by_number_and_by_size() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        reader = feed.read(OfFilter(), lambda: None)
        feed.offer(log.commit(*[1] * 600, data=b"{}"))
        feed.offer(log.commit(1, 1, 1, data=b"x" * 50_000))
        feed.offer(log.commit(1, data=b"x" * 100_000))
        sizes = []
        is_cut = True
        while is_cut:
            window = await reader.next()
            sizes.append(len(window.told))
            is_cut = window.is_cut
        assert sizes == [211, 211, 178, 1, 1, 1, 1]


@on_virtual_time
async def test_a_stream_keeps_no_more_than_it_may() -> None:
    log = FakeLog()
    async with Feed(log).running() as feed:
        reader = feed.read(OfFilter(), lambda: None)
        feed.offer(log.commit(*[1] * 1_500))
        assert len(reader.stream._entries) == streams_module.KEPT_EVENTS
        feed.offer(log.commit(*[1] * 20, data=b"x" * 100_000))
        assert reader.stream._bytes <= streams_module.KEPT_BYTES
        late = [feed.read(OfFilter(), lambda: None, 1_510 + n % 10, "latest") for n in range(200)]
        for one in late:
            await one.next()
        assert len(reader.stream._windows) <= streams_module.WINDOWS_MAX


@on_virtual_time
async def test_a_stream_lets_go_of_what_the_ring_lets_go() -> None:
    log = StoryLog()
    async with Feed(log, ring_events=2, poll_s=1.0).running() as feed:
        reader = feed.read(OfJobs(frozenset({1})), lambda: None)
        feed.offer(log.commit(1, 2, 2))
        await asyncio.sleep(1.5)
        assert not reader.stream._entries
        assert numbers(await reader.next()) == [1]


@on_virtual_time
async def test_the_end_of_a_feed_ends_its_readers_and_wakes_them() -> None:
    woken: list[bool] = []
    async with Feed(StoryLog()).running() as feed:
        reader = feed.read(OfFilter(), lambda: woken.append(True))
        await settle()
    assert reader.is_closed
    assert woken == [True]
    assert feed._streams == {}
