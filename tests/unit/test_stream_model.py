from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from channels.protocol import client_session
from channels.protocol.client_session import ClientSession
from channels.protocol.frames import (
    Bookmark,
    Event,
    Events,
    Filter,
    Snapshot,
    StatusName,
    Subscribe,
)
from channels.protocol.orders import Order
from channels.protocol.stream import Known, Stream
from tests.unit.stream_world import STATUSES, Hub, Owner

WISHES = st.builds(
    Subscribe,
    id=st.just("s"),
    topic=st.just("jobs"),
    filter=st.sampled_from(
        [
            Filter(),
            Filter(),
            Filter(status=("RUNNING",)),
            Filter(status=("QUEUED", "RUNNING")),
        ]
    ),
    progress=st.sampled_from(["latest", "latest", "all", "none"]),
    snapshot=st.sampled_from(["auto", "always", "never"]),
) | st.builds(
    Subscribe,
    id=st.just("s"),
    topic=st.just("jobs"),
    filter=st.just(Filter(type=("transition",))),
)


class StreamModel(RuleBasedStateMachine):
    """Everything that may go wrong between a hub that keeps the rules and a client."""

    @initialize(wish=WISHES)
    def start(self, wish: Subscribe) -> None:
        self.hub = Hub(wish)
        self.owner = Owner(self.hub)
        self.session = ClientSession([wish])
        self.connect()

    def connect(self) -> None:
        self.session.opened(0.0)
        self.owner.is_connected = True
        self.owner.is_harmed = False
        self.hub.greet()
        self.owner.do(self.session.hear(self.hub.wire.pop(0), 0.0))

    @rule(
        changes=st.lists(
            st.tuples(st.integers(1, 3), st.none() | st.sampled_from(STATUSES)),
            min_size=1,
            max_size=5,
        )
    )
    def happen(self, changes: list[tuple[int, StatusName | None]]) -> None:
        for job, to_status in changes:
            self.hub.happen(job, to_status)

    @rule(most=st.sampled_from([1, 2, 6]), times=st.integers(1, 3), is_quick=st.booleans())
    def send(self, most: int, times: int, *, is_quick: bool) -> None:
        """Let the hub say what it has to say next; it arrives now or waits on its way."""
        for _ in range(times):
            self.hub.send(most)
        if is_quick:
            self.deliver()

    @rule()
    def deliver(self) -> None:
        while self.hub.wire and self.owner.is_connected:
            self.owner.do(self.session.hear(self.hub.wire.pop(0), 0.0))

    @precondition(lambda self: len(self.hub.wire) > 1)
    @rule(mishap=st.sampled_from(["lose", "double", "reorder"]), data=st.data())
    def go_wrong(self, mishap: str, data: st.DataObject) -> None:
        wire = self.hub.wire
        self.owner.is_harmed = True
        place = data.draw(st.integers(0, len(wire) - 1))
        frame = wire.pop(place)
        if mishap != "lose":
            wire.insert(data.draw(st.integers(0, len(wire))), frame)
        if mishap == "double":
            wire.insert(place, frame)

    @rule(calamity=st.sampled_from(["cut", "epoch", "trim"]))
    def be_unlucky(self, calamity: str) -> None:
        match calamity:
            case "cut":
                self.cut()
            case "epoch":
                self.hub.rotate()
            case "trim":
                self.hub.trim()

    @precondition(lambda self: not self.owner.is_connected or self.hub.position is None)
    @rule()
    def cut(self) -> None:
        self.session.closed(1006, 0.5)
        self.connect()

    def teardown(self) -> None:
        """Heal everything: the client then gets to the head."""
        if not hasattr(self, "hub"):
            return
        self.cut()
        while not self.hub.has_said_all:
            self.hub.send(3)
        self.deliver()
        assert self.owner.is_connected
        assert self.owner.stored == self.hub.cursor(self.hub.head)


StreamModel.TestCase.settings = settings(
    max_examples=300, stateful_step_count=30, deadline=None, print_blob=True
)
TestOfEverySequenceOfMishapsNothingIsMissedOrDoubled = StreamModel.TestCase


class Chainless(Stream):
    """Takes any message for the next one."""

    def _follows(self, from_: str) -> None:
        return


class BlindToBookmarks(Stream):
    """Takes any bookmark for the next one, as if it did not say where the last message ended."""

    def bookmark(self, frame: Bookmark) -> list[Order]:
        return super().bookmark(Bookmark(id=frame.id, cursor=frame.cursor))


class Forgetful(Stream):
    """Takes what it knows already for news."""

    def events(self, frame: Events) -> list[Order]:
        self._known = {}
        return super().events(frame)


class Literal(Stream):
    """Counts what was left out before the row of a snapshot as a hole."""

    def _check(self, event: Event, known: Known) -> None:
        super()._check(event, Known(known.seq, known.tseq))


class Sloppy(Stream):
    """Takes any last part for the whole snapshot."""

    def snapshot(self, frame: Snapshot) -> list[Order]:
        part = len(self._parts) + 1
        return super().snapshot(
            Snapshot(id=frame.id, at=frame.at, part=part, last=frame.last, jobs=frame.jobs)
        )


class Hasty(Stream):
    """Stores the cursor of a snapshot before it has it."""

    def ask(self) -> Subscribe:
        asked = super().ask()
        return asked if self._at == "" else Subscribe(id="s", topic="jobs", cursor=self._at)

    def snapshot(self, frame: Snapshot) -> list[Order]:
        orders = super().snapshot(frame)
        self._at = self.cursor = frame.at
        return orders


@pytest.mark.parametrize("broken", [Chainless, Forgetful, Hasty])
def test_the_model_finds_a_client_that_trusts_too_much(
    broken: type[Stream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_session, "Stream", broken)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            StreamModel,
            settings=settings(
                max_examples=1000,
                stateful_step_count=30,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


def lose_what_a_bookmark_follows(model: StreamModel) -> None:
    model.start(wish=Subscribe(id="s", topic="jobs", snapshot="never"))
    model.deliver()
    model.happen(changes=[(1, "RUNNING")])
    model.send(most=1, times=2, is_quick=False)
    model.owner.is_harmed = True
    model.hub.wire.pop(0)


def lose_a_part_of_a_snapshot(model: StreamModel) -> None:
    model.start(wish=Subscribe(id="s", topic="jobs"))
    model.send(most=1, times=1, is_quick=True)
    model.happen(changes=[(1, "RUNNING"), (2, "RUNNING")])
    model.be_unlucky(calamity="epoch")
    model.deliver()
    model.send(most=1, times=2, is_quick=False)
    model.owner.is_harmed = True
    model.hub.wire.pop(0)


def report_progress_between_two_parts(model: StreamModel) -> None:
    model.start(wish=Subscribe(id="s", topic="jobs"))
    model.send(most=1, times=1, is_quick=True)
    model.happen(changes=[(1, "RUNNING"), (2, "RUNNING")])
    model.be_unlucky(calamity="trim")
    model.send(most=1, times=1, is_quick=True)
    model.happen(changes=[(2, None), (2, None)])
    model.send(most=1, times=1, is_quick=True)
    model.happen(changes=[(2, None)])
    model.send(most=6, times=1, is_quick=False)


@pytest.mark.parametrize(
    ("story", "broken", "sign"),
    [
        (lose_what_a_bookmark_follows, BlindToBookmarks, "missed without a sign"),
        (lose_a_part_of_a_snapshot, Sloppy, "jobs missing from the snapshot"),
        (report_progress_between_two_parts, Literal, "a false alarm"),
    ],
)
def test_a_rare_mishap_harms_only_a_client_without_the_rule_for_it(
    story: Callable[[StreamModel], None],
    broken: type[Stream],
    sign: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = StreamModel()
    story(good)
    good.deliver()
    good.teardown()

    monkeypatch.setattr(client_session, "Stream", broken)
    model = StreamModel()
    story(model)
    with pytest.raises(AssertionError, match=sign):
        model.deliver()
