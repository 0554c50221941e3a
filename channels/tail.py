"""A reader of the whole log."""

from typing import Protocol

from channels.events import Event
from channels.ring import Ring
from channels.subscription import Subscription


class Source(Protocol):
    """Where tails read: the feed, seen from here."""

    @property
    def ring(self) -> Ring:
        """The recent events."""
        ...

    async def read_log(self, after: int, limit: int) -> list[Event]:
        """Read older events from the log; waits for a free reader and for a log that answers."""
        ...

    def let_go(self, tail: "Tail") -> None:
        """Wake this tail no more."""
        ...


class Tail(Subscription):
    """All events of all jobs; those that the log has removed are left out."""

    def __init__(self, source: Source, position: int) -> None:
        super().__init__(position)
        self._source = source

    @property
    def is_off_ring(self) -> bool:
        """Whether the next events must come from the log."""
        return self.position < self._source.ring.floor

    def _leave(self) -> None:
        self._source.let_go(self)

    def _read_ring(self, limit: int) -> list[Event]:
        events = self._source.ring.after(self.position, limit)
        if events:
            self.position = events[-1].gseq
        return events

    async def _read_log(self, limit: int) -> list[Event]:
        floor = self._source.ring.floor
        events = await self._source.read_log(self.position, limit)
        self.position = events[-1].gseq if events else floor
        return events
