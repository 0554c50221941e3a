"""The doorbell of one process: whoever listens to this object hears it."""

import asyncio

from channels.doorbell.hint import Doubt, Hear


class MemoryDoorbell:
    """Joins the feeds that share it; with a single feed it only tells that feed what it knows."""

    fault: str | None = None

    def __init__(self) -> None:
        self._ears: set[Hear] = set()

    def ring(self, first: int, last: int) -> None:
        """Tell all listeners at once."""
        for hear in tuple(self._ears):
            hear(first, last)

    async def listen(self, hear: Hear, doubt: Doubt) -> None:
        """Pass every ring on to ``hear`` until cancelled; this line is never cut."""
        self._ears.add(hear)
        try:
            await asyncio.Event().wait()
        finally:
            self._ears.discard(hear)
