"""Who speaks for a node: two sign-ins that take turns raise an alarm, anything else does not."""

import logging

import pytest

from hub import clock
from hub.auth import shared_nodes
from hub.auth.shared_nodes import SharedNodes
from hub.lifecycle.commands import Actor


def heard(shared: SharedNodes, sessions: str, node: int = 1) -> list[tuple[int | None, str, str]]:
    """Let sessions speak, a letter each, and return node, session and other of each alarm."""
    for session in sessions:
        shared.spoke(Actor(account=2, node=node, session=session))
    return [(one.actor.node, one.actor.session or "", one.other) for one in shared.taken()]


@pytest.mark.parametrize("sessions", ["", "A", "AAAA", "AB", "AAABBB", "ABC", "ABCD"])
def test_a_node_that_signs_in_again_is_no_cause_for_alarm(sessions: str) -> None:
    assert heard(SharedNodes(), sessions) == []


@pytest.mark.parametrize(
    ("sessions", "session", "other"),
    [("ABA", "A", "B"), ("AAABBAA", "A", "B"), ("ABCBC", "B", "C"), ("ABABABAB", "A", "B")],
)
def test_two_sign_ins_that_take_turns_are_told_of_once(
    sessions: str, session: str, other: str
) -> None:
    assert heard(SharedNodes(), sessions) == [(1, session, other)]


def test_each_node_is_a_matter_of_its_own() -> None:
    shared = SharedNodes()
    assert heard(shared, "A", 1) + heard(shared, "B", 2) + heard(shared, "A", 1) == []
    assert heard(shared, "BAB", 2) == [(2, "B", "A")]
    assert heard(shared, "BA", 1) == [(1, "A", "B")]


def test_who_is_no_node_speaks_for_none() -> None:
    shared = SharedNodes()
    for session in "ABA":
        shared.spoke(Actor(account=2, session=session))
        shared.spoke(Actor(account=2, node=1))
    assert shared.taken() == []


def test_a_node_is_told_of_again_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = SharedNodes()
    now_s = 50.0
    monkeypatch.setattr(clock, "monotonic_s", lambda: now_s)
    assert len(heard(shared, "ABAB")) == 1
    now_s += 3_599
    assert heard(shared, "AB") == []
    now_s += 1
    assert len(heard(shared, "AB")) == 1


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_nodes, "REMEMBERED_MAX", 2)
    shared = SharedNodes()
    heard(shared, "AB", 1)
    heard(shared, "A", 2)
    heard(shared, "A", 3)
    assert heard(shared, "A", 1) == []
    assert heard(shared, "BA", 3) == [(3, "A", "B")]


def test_what_could_not_be_written_comes_first_the_next_time() -> None:
    shared = SharedNodes()
    for session in "ABA":
        shared.spoke(Actor(account=2, node=1, session=session))
    found = shared.taken()
    for session in "ABA":
        shared.spoke(Actor(account=2, node=2, session=session))
    shared.put_back(found)
    assert [one.actor.node for one in shared.taken()] == [1, 2]


def test_the_log_says_which_node_and_nothing_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        heard(SharedNodes(), "ABA", 7)
    assert caplog.messages == ["node shared node=7 account=2"]
