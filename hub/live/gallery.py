"""Where watchers stand: the stored jobs, the news, and the register of open sockets."""

from typing import Literal, Protocol

from channels.feed import Feed
from hub.auth.doors import Doors
from hub.auth.guard import Refuse
from hub.live.clocks import Clocks
from hub.live.presence import Presence
from hub.live.registry import Sockets
from hub.live.snapshots import Snapshots
from hub.live.turns import Turns
from orm.engine import Engine


class Talk(Protocol):
    """A conversation, as far as others have something to tell in it."""

    def notify(self, code: Literal["stale"]) -> None:
        """Tell the client something that it should know."""
        ...


class Gallery:
    """What the ends of live streams share.

    Attributes:
        epoch: That of the log, once the database is open.
        talks: The open ``hub.v1`` sockets.
    """

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        sockets: Sockets,
        doors: Doors,
        presence: Presence,
        refuse: Refuse,
    ) -> None:
        self.engine = engine
        self.feed = feed
        self.sockets = sockets
        self.doors = doors
        self.presence = presence
        self.refuse = refuse
        self.snapshots = Snapshots(engine)
        self.clocks = Clocks(engine)
        self.turns = Turns()
        self.epoch = ""
        self.talks: set[Talk] = set()
        self._was_stale = False

    async def tell_if_stale(self) -> None:
        """Tell everybody once that the database does not answer: called every second."""
        if self.feed.is_stale and not self._was_stale:
            for talk in tuple(self.talks):
                talk.notify("stale")
        self._was_stale = self.feed.is_stale
