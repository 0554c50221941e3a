"""Times as texts."""

from datetime import UTC, datetime, timedelta

ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def iso(moment_us: int) -> str:
    """Return ``moment_us`` (microseconds since 1970) as ISO 8601 with microseconds and ``Z``."""
    return (ZERO + timedelta(microseconds=moment_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
