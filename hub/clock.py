"""The only place that asks for the time."""

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_us() -> int:
    """Return the wall clock in microseconds since 1970, UTC: the unit of every stored time."""
    return time.time_ns() // 1_000


def monotonic_s() -> float:
    """Return seconds on a clock that never jumps, for durations and deadlines."""
    return time.monotonic()


def iso(moment_us: int) -> str:
    """Return ``moment_us`` (microseconds since 1970) as ISO 8601 with microseconds and ``Z``."""
    return (_EPOCH + timedelta(microseconds=moment_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_iso(text: str) -> int:
    """Return the microseconds since 1970 that an ISO 8601 text with an offset names.

    Raises:
        ValueError: the text is no timestamp, or has no offset and so names no moment.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2026-11-01T00:00:00Z")
    return (moment - _EPOCH) // timedelta(microseconds=1)
