"""The ways in which this hub tells: lines in the log, and mail where there is a server for it."""

import logging
from collections.abc import Sequence

from channels.feed import Feed
from hub.notify.follower import Follower
from hub.notify.mails import Mails
from hub.notify.postman import Postman
from hub.notify.prints import Prints
from hub.notify.wishes import Wishes
from hub.settings import Settings
from orm.engine import Engine
from orm.leadership import Duty
from orm.queries.meta import Told

log = logging.getLogger("hub.notify")

PRINTS_PAGE = 500
MAIL_PAGE = 100
"""Events whose mail goes in one session, and goes again when the hub dies in the middle of it."""


def followers(engine: Engine, feed: Feed, settings: Settings) -> Sequence[Follower]:
    """Return what tells, one follower for each way, so that a slow one keeps back no other."""
    wishes = Wishes(engine)
    server = settings.mail_server
    ways = [Told.PRINTED]
    if server is None:
        log.info("e-mail off: HUB_SMTP_URL is empty")
        ways.append(Told.MAILED)  # whoever turns it on later does not get the mail of years
    prints = Follower(engine, feed, Duty.PRINTS, ways, Prints(wishes).tell, page=PRINTS_PAGE)
    if server is None:
        return [prints]
    log.info("e-mail on server=%s port=%d", server.host, server.port)
    mails = Mails(engine, wishes, Postman(server, settings.smtp_from))
    mail = Follower(engine, feed, Duty.MAIL, [Told.MAILED], mails.tell, page=MAIL_PAGE)
    return [prints, mail]
