"""Where watchers stand: the stored jobs, the news, and the register of open sockets."""

from channels.feed import Feed
from hub.auth.doors import Doors
from hub.auth.guard import Refuse
from hub.live.presence import Presence
from hub.live.registry import Sockets
from hub.live.snapshots import Snapshots
from orm.engine import Engine


class Gallery:
    """What the ends of live streams share.

    Attributes:
        epoch: That of the log, once the database is open.
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
        self.epoch = ""
