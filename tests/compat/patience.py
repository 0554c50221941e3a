"""Waiting for what the hub cannot tell by itself: a question asked again until it is answered."""

import time
from collections.abc import Callable

PAUSE_S = 0.05


def until(is_so: Callable[[], bool], within_s: float) -> None:
    """Return when the question is answered with yes.

    Raises:
        AssertionError: it never was.
    """
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(PAUSE_S)
