"""No doorbell, although there are several processes: each finds the others' news by looking."""

import asyncio

from channels.doorbell.hint import Doubt, Hear


class MissingDoorbell:
    """Rings nowhere. What its owner says in ``fault`` is why."""

    def __init__(self, fault: str | None) -> None:
        self.fault = fault

    def ring(self, first: int, last: int) -> None:
        """Tell nobody."""

    async def listen(self, hear: Hear, doubt: Doubt) -> None:
        """Hear nothing, until cancelled."""
        await asyncio.Event().wait()
