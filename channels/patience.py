"""Keep trying while something outside does not answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0

T = TypeVar("T")


async def insist(attempt: Callable[[], Awaitable[T]], what: str) -> T:
    """Repeat ``attempt`` until it succeeds, and return its result.

    Each failure is logged, the first with its trace: what depends on this must outlive it. The
    pause between two attempts doubles up to ``LONGEST_PAUSE_S``. Cancelling ends it at once.

    Args:
        attempt: Called afresh for each try.
        what: Name of the effort in the log line.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return await attempt()
        except Exception as error:
            trace = error if pause_s == FIRST_PAUSE_S else None
            logger.warning("%s.failed again_in_s=%.1f %r", what, pause_s, error, exc_info=trace)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
