"""What the runner asks of the system, and how it divides the time of a stop."""

import resource

import pytest

from hub.cli.runner import allow_open_files, shares_of_stop


@pytest.mark.parametrize("stop_s", [1, 2, 3, 8, 60])
def test_a_stop_keeps_within_its_seconds(stop_s: int) -> None:
    sockets_s, server_s = shares_of_stop(stop_s)
    assert sockets_s <= stop_s / 2
    assert server_s >= 1
    assert sockets_s + server_s <= max(stop_s, 1.5)


class Limits:
    """The system's limit on open files."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def get(self, _: int) -> tuple[int, int]:
        return self.now

    def set(self, _: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.mark.parametrize(
    ("soft", "hard", "then", "warnings"),
    [
        (1_024, 40_000, 40_000, 0),
        (1_024, 1_000, 1_000, 1),
        (1_024, resource.RLIM_INFINITY, 20_256, 0),
        (90_000, resource.RLIM_INFINITY, 90_000, 0),
    ],
)
def test_as_many_files_as_the_system_permits_may_be_open(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soft: int,
    hard: int,
    then: int,
    warnings: int,
) -> None:
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)

    allow_open_files(20_256)

    assert limits.now == (then, hard)
    assert len(caplog.records) == warnings
