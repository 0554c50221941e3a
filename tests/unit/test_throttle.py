"""The throttle: what it refuses, for how long, and how little it remembers."""

from collections.abc import Iterable

import pytest

from hub.auth.sign_in import neighbourhood
from hub.auth.throttle import Throttle

KEY = "ada"


def failing(throttle: Throttle, *moments_s: float, keys: Iterable[str] = (KEY,)) -> None:
    for now_s in moments_s:
        for key in keys:
            throttle.failed(key, now_s)


def test_failures_below_the_limit_are_free() -> None:
    throttle = Throttle(limit=3, window_s=60)
    failing(throttle, 0, 0)
    assert throttle.wait_s(KEY, 0) == 0


def test_the_limit_refuses_until_the_oldest_failure_is_a_window_old() -> None:
    throttle = Throttle(limit=3, window_s=60)
    failing(throttle, 0, 10, 20)
    assert throttle.wait_s(KEY, 20) == 40
    assert throttle.wait_s(KEY, 59.5) == 1
    assert throttle.wait_s(KEY, 60) == 0


def test_after_the_oldest_one_try_is_free_and_not_a_whole_limit() -> None:
    throttle = Throttle(limit=3, window_s=60)
    failing(throttle, 0, 10, 20, 60)
    assert throttle.wait_s(KEY, 60) == 10


def test_failures_spread_over_more_than_a_window_never_refuse() -> None:
    throttle = Throttle(limit=3, window_s=60)
    for now_s in range(0, 600, 30):
        assert throttle.wait_s(KEY, now_s) == 0
        failing(throttle, now_s)


def test_a_cleared_key_is_free_at_once_and_others_are_not() -> None:
    throttle = Throttle(limit=1, window_s=60)
    failing(throttle, 0, keys=("ada", "bob"))
    throttle.cleared("ada")
    throttle.cleared("nobody")
    assert throttle.wait_s("ada", 0) == 0
    assert throttle.wait_s("bob", 0) == 60


def test_it_remembers_no_more_keys_than_it_may_and_forgets_the_longest_quiet_one() -> None:
    throttle = Throttle(limit=1, window_s=60, keys_max=100)
    failing(throttle, 0, keys=map(str, range(100)))
    failing(throttle, 1, keys=("0", "new"))
    assert len(throttle) == 100
    assert throttle.wait_s("0", 1) == 60
    assert throttle.wait_s("1", 1) == 0


def test_keys_that_no_longer_count_are_forgotten() -> None:
    throttle = Throttle(limit=1, window_s=60)
    failing(throttle, 0, keys=map(str, range(50)))
    failing(throttle, 61)
    assert len(throttle) == 1


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("a-socket-file", "a-socket-file"),
        ("", "nowhere"),
        (None, "nowhere"),
    ],
)
def test_addresses_of_one_customer_are_one_place(address: str | None, place: str) -> None:
    assert neighbourhood(address) == place
