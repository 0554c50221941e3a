from collections.abc import Iterable
from typing import Any

import pytest

from channels.protocol import stream
from channels.protocol.client_session import SAID_AT_ONCE, ClientSession, Next
from channels.protocol.codec import encode
from channels.protocol.codes import Advice, Close
from channels.protocol.frames import (
    Auth,
    AuthOk,
    Bookmark,
    End,
    Error,
    Event,
    Events,
    Filter,
    Hello,
    Notice,
    Ping,
    Pong,
    Reset,
    ServerFrame,
    Snapshot,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Worker,
    Workers,
)
from channels.protocol.orders import (
    Apply,
    Ended,
    Forget,
    Leave,
    Noted,
    Order,
    Presence,
    Refused,
    RenewToken,
    Say,
    Store,
    Swap,
)

HELLO = Hello(conn="c_1", epoch="e", auth="ok")
WISH = Subscribe(id="s", topic="jobs")


def event(g: int, seq: int, tseq: int, job: int = 1, **rest: Any) -> Event:
    """Return a transition; ``progress=True`` makes it a report."""
    is_progress = rest.pop("progress", False)
    return Event(
        g=g,
        job=job,
        seq=seq,
        tseq=tseq,
        skip=rest.pop("skip", 0),
        type="job.progress" if is_progress else "job.transition",
        transition="progress" if is_progress else "start",
        from_status=None,
        to_status=None,
        time="2026-01-01T00:00:00Z",
        attempt=1,
        node=None,
        progress_amount=0.0,
        n=1,
        data=None,
        **rest,
    )


def row(pk: int, seq: int, tseq: int) -> dict[str, int]:
    return {"pk": pk, "seq": seq, "tseq": tseq}


def subscribed(mode: Any, from_: str, **rest: Any) -> Subscribed:
    return Subscribed(id="s", mode=mode, from_=from_, head="h", retained_from="r", **rest)


def events(from_: str, to: str, *shown: Event) -> Events:
    return Events(id="s", from_=from_, to=to, events=list(shown))


def part(number: int, *rows: Any, last: bool = True, at: str = "c5") -> Snapshot:
    return Snapshot(id="s", at=at, part=number, last=last, jobs=list(rows))


def hear(session: ClientSession, *frames: ServerFrame, now_s: float = 0.0) -> list[Order]:
    return [order for frame in frames for order in session.hear(encode(frame), now_s)]


def opened(*wishes: Subscribe, token: str | None = None) -> ClientSession:
    session = ClientSession(wishes, token)
    session.opened(0.0)
    return session


def flowing(wish: Subscribe = WISH) -> ClientSession:
    """Return a session that has everything up to cursor ``c5``."""
    session = opened(wish)
    hear(session, HELLO, subscribed("live", "c5"))
    return session


def left_with(orders: Iterable[Order]) -> list[int]:
    return [order.code for order in orders if isinstance(order, Leave)]


def applied(orders: Iterable[Order]) -> list[int]:
    return [order.event.g for order in orders if isinstance(order, Apply)]


# --- Who it is ------------------------------------------------------------------------------------


def test_after_hello_the_client_subscribes_from_where_it_got_to() -> None:
    wish = Subscribe(id="s", topic="jobs", cursor="c5")
    session = opened(wish)
    assert hear(session, HELLO) == [Say(wish)]
    assert hear(session, subscribed("resume", "c5"), events("c5", "c7", event(7, 1, 1))) == [
        Apply("s", event(7, 1, 1)),
        Store("s", "c7"),
    ]
    session.closed(1006, 0.0)
    session.opened(1.0)
    assert hear(session, HELLO) == [Say(Subscribe(id="s", topic="jobs", cursor="c7"))]


def test_a_hub_that_asks_is_told_who_it_is_first() -> None:
    asking = Hello(conn="c", epoch="e", auth="required")
    assert hear(opened(WISH, token="t"), asking) == [Say(Auth(token="t")), Say(WISH)]
    assert left_with(hear(opened(WISH), asking)) == [Close.UNAUTHENTICATED]


def test_a_token_that_ends_is_renewed_on_the_open_connection() -> None:
    session = flowing()
    assert hear(session, Notice(code="auth_expiring")) == [RenewToken()]
    assert session.renew("new") == [Say(Auth(token="new"))]
    assert hear(session, AuthOk(expires_in=60)) == []
    session.closed(1006, 0.0)
    assert session.renew("newer") == []
    session.opened(0.0)
    asking = Hello(conn="c", epoch="e", auth="required")
    assert hear(session, asking)[0] == Say(Auth(token="newer"))


@pytest.mark.parametrize(
    "frames",
    [
        [subscribed("live", "c")],
        [HELLO, HELLO],
        [HELLO, subscribed("live", "c"), subscribed("live", "c")],
    ],
)
def test_greetings_out_of_place_end_the_connection(frames: list[ServerFrame]) -> None:
    assert left_with(hear(opened(WISH), *frames)) == [Close.GAP]


# --- What the hub answers to a cursor -------------------------------------------------------------


def test_a_subscription_without_a_past_stores_where_it_began() -> None:
    session = opened(WISH)
    assert hear(session, HELLO, subscribed("live", "c5"))[1:] == [Store("s", "c5")]


def test_a_cursor_that_cannot_be_honoured_is_kept_until_the_snapshot_is_whole() -> None:
    session = opened(Subscribe(id="s", topic="jobs", cursor="c1"))
    hear(session, HELLO)
    assert hear(session, subscribed("snapshot", "c5", reset="expired")) == [Forget("s", "expired")]
    assert hear(session, part(1, row(1, 3, 2), last=False)) == []
    assert session.cursors == {"s": "c1"}
    assert hear(session, part(2, row(2, 1, 1))) == [
        Swap("s", "c5", [row(1, 3, 2), row(2, 1, 1)]),
        Store("s", "c5"),
    ]
    assert session.cursors == {"s": "c5"}


def test_a_cursor_that_was_lost_without_a_snapshot_is_told() -> None:
    session = opened(Subscribe(id="s", topic="jobs", cursor="c1", snapshot="never"))
    hear(session, HELLO)
    assert hear(session, subscribed("live", "c5", reset="epoch")) == [
        Forget("s", "epoch"),
        Store("s", "c5"),
    ]
    assert hear(session, Reset(id="s", reason="epoch"), events("c5", "c6", event(6, 1, 1))) == [
        Forget("s", "epoch"),
        Apply("s", event(6, 1, 1)),
        Store("s", "c6"),
    ]


@pytest.mark.parametrize(
    ("wish", "answer"),
    [
        (WISH, subscribed("resume", "c5")),
        (Subscribe(id="s", topic="jobs", cursor="c1"), subscribed("resume", "c5")),
        (Subscribe(id="s", topic="jobs", cursor="c1"), subscribed("live", "c5")),
        (Subscribe(id="s", topic="jobs", cursor="c1"), subscribed("snapshot", "c5")),
        (
            Subscribe(id="s", topic="jobs", cursor="c1"),
            subscribed("resume", "c1", reset="expired"),
        ),
    ],
)
def test_an_answer_that_loses_events_is_not_accepted(wish: Subscribe, answer: Subscribed) -> None:
    assert left_with(hear(opened(wish), HELLO, answer)) == [Close.GAP]


def test_a_client_that_always_wants_a_snapshot_gets_it_in_spite_of_its_cursor() -> None:
    session = opened(Subscribe(id="s", topic="jobs", cursor="c1", snapshot="always"))
    orders = hear(session, HELLO, subscribed("snapshot", "c5"), part(1))
    assert orders[1:] == [Swap("s", "c5", []), Store("s", "c5")]


# --- Snapshots ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames",
    [
        [part(2)],
        [part(1, last=False), part(1, last=False)],
        [part(1, last=False), part(3)],
        [part(1, last=False), part(2, at="c6")],
        [part(1), part(1)],
        [part(1, last=False), events("c5", "c6")],
        [part(1, last=False), Bookmark(id="s", cursor="c6")],
        [part(1, {"pk": 1})],
        [part(1, None)],
    ],
)
def test_a_snapshot_with_a_hole_is_not_used(frames: list[ServerFrame]) -> None:
    session = opened(WISH)
    hear(session, HELLO, subscribed("snapshot", "c5"))
    orders = hear(session, *frames)
    assert left_with(orders) == [Close.GAP]


def test_a_snapshot_that_nobody_announced_is_not_used() -> None:
    assert left_with(hear(flowing(), part(1))) == [Close.GAP]


def test_half_a_snapshot_does_not_survive_its_connection() -> None:
    session = opened(WISH)
    hear(session, HELLO, subscribed("snapshot", "c5"), part(1, row(1, 1, 1), last=False))
    session.closed(1006, 0.0)
    session.opened(0.0)
    orders = hear(session, HELLO, subscribed("snapshot", "c6"), part(1, row(2, 1, 1), at="c6"))
    assert orders == [Say(WISH), Swap("s", "c6", [row(2, 1, 1)]), Store("s", "c6")]


def test_a_reset_throws_away_what_was_known() -> None:
    session = flowing()
    hear(session, events("c5", "c9", event(9, 4, 4)))
    assert hear(session, Reset(id="s", reason="epoch")) == [Forget("s", "epoch")]
    assert hear(session, part(1, row(1, 1, 1), at="d1"), events("d1", "d2", event(2, 2, 2))) == [
        Swap("s", "d1", [row(1, 1, 1)]),
        Store("s", "d1"),
        Apply("s", event(2, 2, 2)),
        Store("s", "d2"),
    ]


@pytest.mark.parametrize("frame", [events("c5", "c6"), Bookmark(id="s", cursor="c6")])
def test_after_a_reset_only_a_snapshot_comes(frame: ServerFrame) -> None:
    assert left_with(hear(flowing(), Reset(id="s", reason="epoch"), frame)) == [Close.GAP]


@pytest.mark.parametrize(
    "frame",
    [
        Reset(id="s", reason="epoch"),
        events("c5", "c6"),
        Bookmark(id="s", cursor="c6"),
        part(1),
        Workers(id="s", n=1, full=True, workers=[]),
    ],
)
def test_nothing_comes_before_the_answer(frame: ServerFrame) -> None:
    assert left_with(hear(opened(WISH), HELLO, frame)) == [Close.GAP]


# --- Rule 1: the chain ----------------------------------------------------------------------------


def test_each_message_begins_where_the_one_before_it_ended() -> None:
    orders = hear(
        flowing(),
        events("c5", "c6", event(6, 1, 1)),
        Bookmark(id="s", from_="c6", cursor="c8"),
        events("c8", "c9", event(9, 2, 2)),
        Bookmark(id="s", cursor="c10"),
        events("c10", "c11", event(11, 3, 3)),
    )
    assert applied(orders) == [6, 9, 11]
    assert [order.cursor for order in orders if isinstance(order, Store)] == [
        "c6",
        "c8",
        "c9",
        "c10",
        "c11",
    ]


@pytest.mark.parametrize(
    "frame",
    [events("c4", "c6"), events("c6", "c7"), Bookmark(id="s", from_="c6", cursor="c7")],
)
def test_a_broken_chain_ends_the_connection_and_keeps_the_cursor(frame: ServerFrame) -> None:
    session = flowing()
    assert left_with(hear(session, frame)) == [Close.GAP]
    assert session.cursors == {"s": "c5"}


# --- Rule 2: the numbers of the log ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (event(6, 1, 1), event(6, 1, 1, job=2)),
        (event(7, 1, 1), event(6, 1, 1, job=2)),
    ],
)
def test_the_numbers_of_the_log_grow_in_and_across_messages(first: Event, second: Event) -> None:
    one = hear(flowing(), events("c5", "c7", first, second))
    assert left_with(one) == [Close.GAP]
    assert applied(one) == []
    two = hear(flowing(), events("c5", "c6", first), events("c6", "c7", second))
    assert left_with(two) == [Close.GAP]
    assert applied(two) == [first.g]


def test_a_message_with_one_bad_event_is_not_used_at_all() -> None:
    session = flowing()
    good, bad = event(6, 1, 1), event(7, 3, 3)
    assert applied(hear(session, events("c5", "c7", good, bad))) == []
    session.closed(4290, 0.0)
    session.opened(0.0)
    again = events("c5", "c7", good, event(7, 2, 2))
    assert applied(hear(session, HELLO, subscribed("resume", "c5"), again)) == [6, 7]


# --- Rule 3: the numbers of a job -----------------------------------------------------------------

ONLY_TRANSITIONS = Filter(type=("transition",))
ONLY_PROGRESS = Filter(type=("progress",))


@pytest.mark.parametrize(
    ("second", "is_good"),
    [
        (event(7, 4, 3), True),
        (event(7, 5, 3), False),
        (event(7, 5, 3, skip=1), True),
        (event(7, 5, 3, skip=2), False),
        (event(7, 6, 3, skip=1), False),
        (event(7, 4, 2), False),
        (event(7, 4, 4), False),
        (event(7, 4, 1), False),
        (event(7, 4, 2, progress=True), True),
        (event(7, 4, 3, progress=True), False),
        (event(7, 4, 1, progress=True), False),
        (event(7, 9, 2, progress=True, skip=5), True),
        (event(7, 9, 3, progress=True, skip=5), False),
        (event(7, 9, 7, entered=True), True),
        (event(7, 9, 7, job=2), True),
    ],
)
def test_the_numbers_of_a_job_leave_no_hole(second: Event, *, is_good: bool) -> None:
    orders = hear(flowing(), events("c5", "c7", event(6, 3, 2), second))
    assert applied(orders) == ([6, 7] if is_good else [])
    assert left_with(orders) == ([] if is_good else [Close.GAP])


@pytest.mark.parametrize(
    ("wish", "second", "is_good"),
    [
        (Subscribe(id="s", topic="jobs", progress="none"), event(7, 9, 3), True),
        (Subscribe(id="s", topic="jobs", progress="none"), event(7, 9, 4), False),
        (Subscribe(id="s", topic="jobs", filter=ONLY_TRANSITIONS), event(7, 9, 3), True),
        (Subscribe(id="s", topic="jobs", filter=ONLY_TRANSITIONS), event(7, 9, 4), False),
        (
            Subscribe(id="s", topic="jobs", filter=ONLY_PROGRESS),
            event(7, 9, 4, progress=True),
            True,
        ),
        (
            Subscribe(id="s", topic="jobs", filter=ONLY_PROGRESS),
            event(7, 9, 1, progress=True),
            False,
        ),
    ],
)
def test_a_filter_of_types_leaves_holes_but_transitions_are_still_counted(
    wish: Subscribe, second: Event, *, is_good: bool
) -> None:
    is_progress = second.type == "job.progress"
    first = event(6, 3, 2, progress=is_progress)
    orders = hear(flowing(wish), events("c5", "c7", first, second))
    assert applied(orders) == ([6, 7] if is_good else [])


def test_a_job_that_left_comes_back_with_any_number() -> None:
    orders = hear(
        flowing(),
        events("c5", "c6", event(6, 3, 2, left=True)),
        events("c6", "c9", event(9, 8, 5, entered=True), event(10, 9, 6)),
    )
    assert applied(orders) == [6, 9, 10]


def test_what_was_shown_on_the_last_connection_counts_on_the_next() -> None:
    for second, is_good in ((event(7, 2, 2), True), (event(7, 3, 3), False)):
        session = flowing()
        hear(session, events("c5", "c6", event(6, 1, 1)))
        session.closed(1006, 0.0)
        session.opened(0.0)
        orders = hear(session, HELLO, subscribed("resume", "c6"), events("c6", "c7", second))
        assert applied(orders) == ([7] if is_good else [])


def test_the_row_of_a_snapshot_is_the_base_of_its_job() -> None:
    for second, is_good in ((event(6, 4, 3), True), (event(6, 5, 4), False)):
        session = opened(WISH)
        hear(session, HELLO, subscribed("snapshot", "c5"), part(1, row(1, 3, 2)))
        assert applied(hear(session, events("c5", "c6", second))) == ([6] if is_good else [])


def test_the_job_unheard_of_the_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "JOBS_KNOWN_MAX", 2)
    session = flowing()
    hear(session, events("c5", "c6", event(6, 1, 1, job=1), event(7, 1, 1, job=2)))
    hear(session, events("c6", "c7", event(8, 2, 2, job=1), event(9, 1, 1, job=3)))
    assert applied(hear(session, events("c7", "c8", event(10, 9, 9, job=2)))) == [10]
    assert applied(hear(session, events("c8", "c9", event(11, 9, 9, job=3)))) == []


# --- Rule 4: what is known is no news -------------------------------------------------------------


def test_events_that_a_row_of_the_snapshot_holds_already_are_passed_over() -> None:
    session = opened(WISH)
    hear(session, HELLO, subscribed("snapshot", "c5"), part(1, row(1, 4, 3)))
    old, older = event(6, 3, 2), event(7, 4, 3, entered=True)
    orders = hear(session, events("c5", "c9", old, older, event(8, 5, 4)))
    assert applied(orders) == [8]


def test_progress_left_out_before_and_behind_a_row_is_no_hole() -> None:
    session = opened(WISH)
    hear(session, HELLO, subscribed("snapshot", "c5"), part(1, row(1, 10, 3)))
    latest = event(9, 12, 3, progress=True, skip=4)  # 8 to 11 were left out; the row held 9 and 10
    orders = hear(session, events("c5", "c9", latest), events("c9", "c10", event(10, 13, 4)))
    assert applied(orders) == [9, 10]
    again = events("c10", "c11", event(11, 15, 4, progress=True, skip=4))
    assert left_with(hear(session, again)) == [Close.GAP]


# --- Nodes ----------------------------------------------------------------------------------------


def test_news_of_the_nodes_are_counted_on_each_connection() -> None:
    session = opened(Subscribe(id="s", topic="workers"))
    first = Workers(id="s", n=1, full=True, workers=[Worker(pk=1)])
    for _ in range(2):
        orders = hear(
            session,
            HELLO,
            subscribed("live", "c5"),
            first,
            Workers(id="s", n=2, full=False, workers=[]),
            Bookmark(id="s", cursor="c6"),
        )
        assert orders[1:] == [Presence("s", True, [Worker(pk=1)]), Presence("s", False, [])]
        assert session.cursors == {}
        session.closed(1006, 0.0)
        session.opened(0.0)


@pytest.mark.parametrize(
    "frames",
    [
        [Workers(id="s", n=1, full=False, workers=[])],
        [Workers(id="s", n=2, full=True, workers=[])],
        [Workers(id="s", n=1, full=True, workers=[]), Workers(id="s", n=3, full=True, workers=[])],
    ],
)
def test_lost_news_of_the_nodes_are_noticed(frames: list[ServerFrame]) -> None:
    session = opened(Subscribe(id="s", topic="workers"))
    assert left_with(hear(session, HELLO, subscribed("live", "c5"), *frames)) == [Close.GAP]


# --- Many subscriptions, some of them refused -----------------------------------------------------


def test_many_subscriptions_are_said_a_few_a_second() -> None:
    wishes = [Subscribe(id=f"s{number}", topic="jobs") for number in range(SAID_AT_ONCE + 5)]
    session = opened(*wishes)
    assert hear(session, HELLO) == [Say(wish) for wish in wishes[:SAID_AT_ONCE]]
    assert session.deadline_s == 1.0
    assert session.tick(0.9) == []
    assert session.tick(1.0) == [Say(wish) for wish in wishes[SAID_AT_ONCE:]]
    assert session.tick(2.0) == []
    assert session.deadline_s == 15.0


def test_a_subscription_refused_for_haste_is_said_again() -> None:
    session = opened(WISH)
    hear(session, HELLO)
    assert hear(session, Error(id="s", code="rate_limited", detail="")) == []
    assert hear(session, Error(id=None, code="rate_limited", detail="")) == []
    assert session.tick(1.0) == [Say(WISH)]


def test_a_subscription_refused_for_good_is_over() -> None:
    session = opened(WISH)
    hear(session, HELLO)
    refusal = Error(id="s", code="forbidden", detail="not yours")
    assert hear(session, refusal) == [Refused("s", "forbidden", "not yours")]
    assert hear(session, refusal) == []
    assert session.subscriptions == frozenset()
    other = Error(id=None, code="bad_message", detail="`x`")
    assert hear(session, other) == [Refused(None, "bad_message", "`x`")]


def test_a_subscription_that_the_hub_ends_is_over() -> None:
    session = flowing()
    assert hear(session, End(id="s", reason="revoked")) == [Ended("s", "revoked")]
    assert hear(session, End(id="s", reason="revoked")) == []
    assert session.cursors == {}


def test_what_was_on_its_way_for_an_ended_subscription_is_passed_over() -> None:
    session = flowing()
    assert session.unsubscribe("s") == [Say(Unsubscribe(id="s"))]
    assert hear(session, events("c5", "c6", event(6, 1, 1)), events("x", "y")) == []
    with pytest.raises(ValueError, match="already"):
        session.subscribe(WISH, 0.0)
    assert hear(session, End(id="s", reason="unsubscribed")) == []
    assert session.subscribe(WISH, 1.0) == []
    assert session.tick(1.0) == [Say(WISH)]


def test_subscriptions_come_and_go_while_there_is_no_connection() -> None:
    session = ClientSession([WISH])
    assert session.unsubscribe("s") == []
    assert session.subscribe(WISH, 0.0) == []
    session.opened(0.0)
    assert hear(session, HELLO) == [Say(WISH)]


def test_a_subscription_that_was_not_said_yet_ends_in_silence() -> None:
    wishes = [Subscribe(id=f"s{number}", topic="jobs") for number in range(SAID_AT_ONCE + 1)]
    session = opened(*wishes)
    hear(session, HELLO)
    assert session.unsubscribe(f"s{SAID_AT_ONCE}") == []
    assert session.tick(1.0) == []


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ([WISH, WISH], "already"),
        ([Subscribe(id="s", topic="job")], "at least one"),
        ([Subscribe(id="s", topic="job", jobs=tuple(range(10**17, 10**17 + 1000)))], "bytes"),
    ],
)
def test_what_the_hub_would_refuse_is_not_begun(wishes: list[Subscribe], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        ClientSession(wishes)


# --- Silence, notices and what comes after --------------------------------------------------------


def test_a_silent_hub_is_asked_and_then_left() -> None:
    session = opened(WISH)
    hear(session, Hello(conn="c", epoch="e", auth="ok", heartbeat_ms=10_000))
    session.tick(1.0)
    assert session.deadline_s == 10.0
    assert session.tick(10.0) == [Say(Ping())]
    assert session.deadline_s == 20.0
    assert session.tick(20.0) == [Say(Ping())]
    assert session.deadline_s == 25.0
    assert left_with(session.tick(25.0)) == [Close.GOING_AWAY]
    assert session.deadline_s == float("inf")
    assert session.tick(99.0) == hear(session, HELLO) == []


def test_any_message_is_a_sign_of_life() -> None:
    session = flowing()
    hear(session, Pong(t=None, now=""), now_s=30.0)
    session.tick(1.0)
    assert session.tick(44.0) == []
    assert session.deadline_s == 45.0


def test_trouble_of_the_hub_is_passed_on() -> None:
    assert hear(flowing(), Notice(code="stale")) == [Noted("stale")]


def test_what_is_no_message_ends_the_connection() -> None:
    assert left_with(flowing().hear("{", 0.0)) == [Close.GAP]
    assert flowing().hear('{"op":"fireworks"}', 0.0) == []


@pytest.mark.parametrize(
    ("code", "advised"),
    [
        (4000, Advice.STOP),
        (4099, Advice.STOP),
        (4101, Advice.RENEW),
        (4199, Advice.RENEW),
        (4200, Advice.BACK_OFF),
        (4299, Advice.BACK_OFF),
        (4300, Advice.RECONNECT),
        (4399, Advice.RECONNECT),
        (1000, Advice.BACK_OFF),
        (1006, Advice.BACK_OFF),
        (4400, Advice.BACK_OFF),
        (3999, Advice.BACK_OFF),
    ],
)
def test_the_range_of_a_code_says_what_to_do(code: int, advised: Advice) -> None:
    assert flowing().closed(code, 0.5) == Next(advised, 0.25)


def test_the_wait_grows_with_full_jitter_until_something_comes() -> None:
    session = opened(WISH)
    waits = [session.closed(1006, 1.0).wait_s for _ in range(9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert session.closed(1006, 0.0).wait_s == 0.0
    session.opened(0.0)
    hear(session, HELLO, subscribed("live", "c5"))
    assert session.closed(1006, 1.0).wait_s == 30.0
    session.opened(0.0)
    hear(session, HELLO, subscribed("resume", "c5"), Bookmark(id="s", from_="c5", cursor="c5"))
    assert session.closed(1006, 1.0).wait_s == 0.5


def test_a_hub_that_stops_is_left_alone_as_long_as_it_says() -> None:
    session = flowing()
    assert hear(session, Notice(code="drain", retry_after_ms=3200)) == [Noted("drain")]
    assert session.closed(4300, 1.0) == Next(Advice.RECONNECT, 3.2)
    session.opened(0.0)
    assert session.closed(4301, 1.0) == Next(Advice.RECONNECT, 1.0)
