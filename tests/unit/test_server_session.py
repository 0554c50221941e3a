from collections.abc import Sequence

import pytest
from msgspec import json

from channels.protocol.codec import encode
from channels.protocol.codes import Close
from channels.protocol.frames import (
    SUBSCRIPTIONS_MAX,
    Auth,
    AuthOk,
    ClientFrame,
    End,
    Error,
    Filter,
    Hello,
    Notice,
    Ping,
    Subscribe,
    Unsubscribe,
)
from channels.protocol.server_session import (
    Action,
    Answer,
    Begin,
    Bookmark,
    Check,
    Drop,
    Hangup,
    ServerSession,
    Tell,
)

HOUR_S = 3600.0
WISH = Subscribe(id="s1", topic="jobs")


def signed_in(life_s: float = HOUR_S, **named: int) -> ServerSession:
    return ServerSession("c_1", "e1", life_s, 0.0, **named)


def unknown() -> ServerSession:
    return ServerSession("c_1", "e1", None, 0.0)


def hear(session: ServerSession, frame: ClientFrame, now_s: float = 0.0) -> list[Action]:
    return session.hear(encode(frame).decode(), now_s)


def refusals(actions: Sequence[Action]) -> list[tuple[str | None, str]]:
    frames = [action.frame for action in actions if isinstance(action, Tell)]
    return [(frame.id, frame.code) for frame in frames if isinstance(frame, Error)]


# --- Who it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("session", "auth"), [(signed_in(), "ok"), (unknown(), "required")])
def test_the_hub_speaks_first_and_says_what_holds(session: ServerSession, auth: str) -> None:
    (told,) = session.begin()
    assert isinstance(told, Tell)
    assert isinstance(told.frame, Hello)
    assert json.decode(encode(told.frame)) == {
        "op": "hello",
        "v": 1,
        "conn": "c_1",
        "epoch": "e1",
        "heartbeat_ms": 15000,
        "max_subs": 200,
        "max_frame": 65536,
        "auth": auth,
    }


def test_a_client_that_does_not_say_who_it_is_is_cut_off_after_five_seconds() -> None:
    session = unknown()
    assert session.deadline_s == 5.0
    assert session.tick(4.9) == []
    assert session.tick(5.0) == [Hangup(Close.AUTH_TIMEOUT)]
    assert session.is_over


def test_a_token_in_time_is_checked_however_long_that_takes() -> None:
    session = unknown()
    assert hear(session, Auth(token="t"), 4.9) == [Check("t")]
    assert session.tick(7.0) == []
    assert session.authenticated(100.5, 7.0) == [Tell(AuthOk(expires_in=100))]
    assert hear(session, WISH, 7.0) == [Begin(WISH)]


def test_before_that_only_a_ping_is_answered() -> None:
    session = unknown()
    assert hear(session, Ping(t=3)) == [Answer(3)]
    actions = hear(session, WISH)
    assert refusals(actions) == [("s1", "unauthenticated")]
    assert actions[-1] == Hangup(Close.UNAUTHENTICATED)


def test_a_bad_token_ends_the_connection_even_where_the_last_one_was_good() -> None:
    for session in (unknown(), signed_in()):
        assert hear(session, Auth(token="t")) == [Check("t")]
        assert session.refused() == [Hangup(Close.UNAUTHENTICATED)]


def test_the_check_of_a_token_may_end_otherwise() -> None:
    session = unknown()
    hear(session, Auth(token="t"))
    assert session.refused(Close.FORBIDDEN) == [Hangup(Close.FORBIDDEN)]


@pytest.mark.parametrize(("life_s", "noticed_s"), [(HOUR_S, HOUR_S - 60), (100.0, 80.0)])
def test_the_end_of_a_token_is_announced_and_kept(life_s: float, noticed_s: float) -> None:
    session = signed_in(life_s)
    assert session.deadline_s == noticed_s
    assert session.tick(noticed_s - 0.1) == []
    assert session.tick(noticed_s) == [Tell(Notice(code="auth_expiring"))]
    assert session.deadline_s == life_s
    assert session.tick(life_s - 0.1) == []
    assert session.tick(life_s) == [Hangup(Close.UNAUTHENTICATED)]


def test_a_new_token_begins_a_new_life_with_a_notice_of_its_own() -> None:
    session = signed_in(100.0)
    session.tick(80.0)
    assert hear(session, Auth(token="new"), 81.0) == [Check("new")]
    assert session.authenticated(HOUR_S, 82.0) == [Tell(AuthOk(expires_in=3600))]
    assert session.tick(100.0) == []
    assert session.tick(82 + HOUR_S - 60) == [Tell(Notice(code="auth_expiring"))]
    assert session.tick(82 + HOUR_S) == [Hangup(Close.UNAUTHENTICATED)]


# --- Subscriptions --------------------------------------------------------------------------------


def test_a_subscription_begins_and_ends() -> None:
    session = signed_in()
    assert hear(session, WISH) == [Begin(WISH)]
    assert session.subscriptions == {"s1"}
    assert hear(session, Unsubscribe(id="s1")) == [
        Drop("s1"),
        Tell(End(id="s1", reason="unsubscribed")),
    ]
    assert session.subscriptions == frozenset()
    assert hear(session, WISH) == [Begin(WISH)]


def test_the_name_of_an_open_subscription_cannot_be_used_again() -> None:
    session = signed_in()
    hear(session, WISH)
    assert hear(session, WISH) == [Drop("s1"), Hangup(Close.DUPLICATE_ID)]


def test_an_unknown_subscription_cannot_be_ended() -> None:
    session = signed_in()
    assert refusals(hear(session, Unsubscribe(id="s1"))) == [("s1", "not_found")]
    assert not session.is_over


def test_there_are_so_many_subscriptions_and_no_more() -> None:
    session = signed_in()
    for number in range(SUBSCRIPTIONS_MAX):
        assert hear(session, Subscribe(id=f"s{number}", topic="jobs"), number) != []
    one_more = Subscribe(id="more", topic="jobs")
    assert refusals(hear(session, one_more, 300)) == [("more", "too_many_subs")]
    hear(session, Unsubscribe(id="s0"), 301)
    assert hear(session, one_more, 302) == [Begin(one_more)]


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        (Subscribe(id="s1", topic="job"), "jobs"),
        (Subscribe(id="s1", topic="jobs", jobs=(1,)), "jobs"),
        (Subscribe(id="s1", topic="workers", jobs=(1,)), "jobs"),
        (Subscribe(id="s1", topic="workers", filter=Filter(node=(1,))), "workers"),
        (Subscribe(id="s1", topic="workers", progress="all"), "workers"),
        (Subscribe(id="s1", topic="workers", snapshot="never"), "workers"),
        (Subscribe(id="s1", topic="workers", cursor="v1:e:1"), "workers"),
        (
            Subscribe(id="s1", topic="jobs", filter=Filter(type=("progress",)), progress="none"),
            "progress",
        ),
        (
            Subscribe(id="s1", topic="jobs", filter=Filter(type=("transition",)), progress="all"),
            "progress",
        ),
        (
            Subscribe(
                id="s1", topic="jobs", filter=Filter(type=("transition",)), progress="latest"
            ),
            "progress",
        ),
    ],
)
def test_a_subscription_that_contradicts_itself_is_refused(wish: Subscribe, named: str) -> None:
    session = signed_in()
    actions = hear(session, wish)
    assert refusals(actions) == [("s1", "bad_filter")]
    assert isinstance(actions[0], Tell)
    assert isinstance(actions[0].frame, Error)
    assert named in actions[0].frame.detail
    assert session.subscriptions == frozenset()


@pytest.mark.parametrize(
    "wish",
    [
        Subscribe(id="s1", topic="job", jobs=(1, 2), filter=Filter(type=("transition",))),
        Subscribe(id="s1", topic="jobs", filter=Filter(type=("transition",)), progress="none"),
        Subscribe(id="s1", topic="jobs", filter=Filter(type=("progress",)), progress="all"),
        Subscribe(id="s1", topic="jobs", snapshot="never", cursor="v1:e:1"),
        Subscribe(id="s1", topic="workers"),
    ],
)
def test_a_subscription_that_makes_sense_begins(wish: Subscribe) -> None:
    assert hear(signed_in(), wish) == [Begin(wish)]


def test_the_owner_may_refuse_a_subscription_and_its_name_is_free_again() -> None:
    session = signed_in()
    hear(session, WISH)
    assert refusals(session.refuse("s1", "forbidden", "not yours")) == [("s1", "forbidden")]
    assert hear(session, WISH) == [Begin(WISH)]


def test_what_a_client_may_no_longer_see_is_ended_by_name_or_as_a_whole() -> None:
    session = signed_in()
    other = Subscribe(id="s2", topic="jobs")
    hear(session, WISH)
    hear(session, other)
    assert session.revoke("s1") == [Drop("s1"), Tell(End(id="s1", reason="revoked"))]
    assert session.revoke("s1") == []
    assert session.revoke_all() == [
        Drop("s2"),
        Tell(End(id="s2", reason="revoked")),
        Hangup(Close.REVOKED),
    ]


# --- What is no message, and too many of them -----------------------------------------------------


@pytest.mark.parametrize("message", ["", '{"op":"dance"}', b'{"op":"ping"}'])
def test_what_is_no_message_ends_the_connection(message: str | bytes) -> None:
    session = signed_in()
    actions = session.hear(message, 0.0)
    assert refusals(actions) == [(None, "bad_message")]
    assert actions[-1] == Hangup(Close.BAD_MESSAGE)


def test_twenty_messages_come_through_at_once_and_twenty_a_second_for_ever() -> None:
    session = signed_in()
    ping = Ping()
    for _ in range(20):
        assert hear(session, ping, 0.0) == [Answer(None)]
    assert refusals(hear(session, ping, 0.0)) == [(None, "rate_limited")]
    assert refusals(hear(session, WISH, 0.0)) == [("s1", "rate_limited")]
    for step in range(1, 1000):
        assert hear(session, ping, 1.0 + step / 20) == [Answer(None)]


def test_a_client_that_goes_on_too_fast_is_cut_off() -> None:
    session = signed_in()
    for _ in range(40):
        hear(session, Ping(), 0.0)
    assert not session.is_over
    assert hear(session, Ping(), 0.0) == [Hangup(Close.TOO_MANY)]


def test_an_idle_hour_does_not_save_up_messages() -> None:
    session = signed_in(2 * HOUR_S)
    answers = [hear(session, Ping(), HOUR_S) for _ in range(21)]
    assert answers[:20] == [[Answer(None)]] * 20
    assert refusals(answers[20]) == [(None, "rate_limited")]


# --- Signs of life, and the end -------------------------------------------------------------------


def test_a_subscription_that_nothing_was_sent_for_is_due_a_bookmark() -> None:
    session = signed_in()
    hear(session, WISH, 0.0)
    hear(session, Subscribe(id="s2", topic="jobs"), 1.0)
    session.sent("s1", 10.0)
    session.sent("gone", 10.0)
    assert session.deadline_s == 16.0
    assert session.tick(15.9) == []
    assert session.tick(16.0) == [Bookmark("s2")]
    assert session.deadline_s == 25.0
    assert session.tick(31.0) == [Bookmark("s1"), Bookmark("s2")]
    assert session.deadline_s == 46.0


def test_a_subscription_that_is_over_is_due_nothing() -> None:
    session = signed_in()
    hear(session, WISH)
    hear(session, Unsubscribe(id="s1"))
    session.sent("s1", 1.0)
    assert session.tick(100.0) == []


def test_a_hub_that_stops_says_when_to_come_back() -> None:
    session = signed_in()
    assert session.drain(3200) == [
        Tell(Notice(code="drain", retry_after_ms=3200)),
        Hangup(Close.DRAIN),
    ]


def test_the_client_hears_of_trouble() -> None:
    assert signed_in().notify("lagging") == [Tell(Notice(code="lagging"))]


def test_after_the_end_there_is_nothing_to_do() -> None:
    session = signed_in()
    hear(session, WISH)
    assert session.hang_up(Close.SLOW) == [Drop("s1"), Hangup(Close.SLOW)]
    assert session.hear("", 0.0) == []
    assert session.hang_up(Close.SLOW) == session.drain(1) == session.revoke_all() == []
    assert session.authenticated(1.0, 0.0) == session.refused() == session.notify("stale") == []
    assert session.refuse("s1", "forbidden", "") == session.tick(1e9) == []
    assert session.tick(HOUR_S - 30.0) == []
    assert session.deadline_s == float("inf")
