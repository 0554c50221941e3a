"""How long to wait before the next connection."""

FIRST_S = 0.5
LONGEST_S = 30.0


def backoff_s(failures: int, chance: float) -> float:
    """Return seconds to wait, with full jitter: crowds that were cut off at once spread out.

    Args:
        failures: Connections that came to nothing since the last good one, from 0.
        chance: A random number, 0 to 1.
    """
    ceiling_s = FIRST_S * float(1 << min(failures, 16))
    return min(LONGEST_S, ceiling_s) * chance
