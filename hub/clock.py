"""The only place that asks for the time."""

import time
from datetime import datetime, timedelta

from channels.times import ZERO, iso

__all__ = ("iso", "monotonic_s", "parse_iso", "wall_us")


def wall_us() -> int:
    """Return the wall clock in microseconds since 1970, UTC: the unit of every stored time."""
    return time.time_ns() // 1_000


def monotonic_s() -> float:
    """Return seconds on a clock that never jumps, for durations and deadlines."""
    return time.monotonic()


def parse_iso(text: str) -> int:
    """Return the microseconds since 1970 that an ISO 8601 text with an offset names.

    Raises:
        ValueError: the text is no timestamp, or has no offset and so names no moment.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write it like 2026-11-01T00:00:00Z")
    return (moment - ZERO) // timedelta(microseconds=1)
