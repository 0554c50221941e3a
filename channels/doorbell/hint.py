"""What a feed expects of a doorbell."""

from collections.abc import Callable
from typing import Protocol

Hear = Callable[[int, int], None]
"""Called with the lowest and the highest ``gseq`` of events that are committed."""


class Doorbell(Protocol):
    """Tells the feeds of all processes that the log has grown.

    Hints may be lost, doubled or late, and may come back to the feed that rang. A wrong hint costs
    its hearer one look into the log.
    """

    def ring(self, first: int, last: int) -> None:
        """Announce that the events ``first`` to ``last`` are committed.

        Called on the event loop after each commit: it neither blocks nor raises, and what it cannot
        send it drops.
        """
        ...

    async def listen(self, hear: Hear) -> None:
        """Call ``hear`` for each hint, until cancelled.

        It ends, with an error or without, only when the line is cut; the feed logs that, pauses
        and listens again.
        """
        ...
