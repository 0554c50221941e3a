"""What a feed expects of a doorbell."""

from collections.abc import Callable
from typing import Protocol

Hear = Callable[[int, int], None]
"""Called with the lowest and the highest ``gseq`` of events that are committed."""

Doubt = Callable[[], None]
"""Called when hints may have been lost until now: the hearer compares itself with the log."""


class Doorbell(Protocol):
    """Tells the feeds of all processes that the log has grown.

    Hints may be lost, doubled or late, and may come back to the feed that rang. A wrong hint costs
    its hearer one look into the log.
    """

    @property
    def fault(self) -> str | None:
        """Why hints of other processes do not come now, in words; ``None`` while they do."""
        ...

    def ring(self, first: int, last: int) -> None:
        """Announce that the events ``first`` to ``last`` are committed.

        Called on the event loop after each commit: it neither blocks nor raises, and what it cannot
        send it drops.
        """
        ...

    async def listen(self, hear: Hear, doubt: Doubt) -> None:
        """Call ``hear`` for each hint, until cancelled; call ``doubt`` once a cut line is mended.

        It ends, with an error or without, only when something unforeseen happens; the feed logs
        that, pauses and listens again.
        """
        ...
