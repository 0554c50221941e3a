"""E-mail notifications: to whom, and how often it is tried."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from channels.events import Event
from hub import clock
from hub.mail import is_address
from hub.notify.letters import Mail
from hub.notify.postman import Postman
from hub.notify.wishes import Call, Wishes
from hub.wire.templates import EmailAction
from orm.engine import Engine
from orm.queries import meta
from orm.queries.notifications import addresses

log = logging.getLogger("hub.notify")

PAUSES_S = (1.0, 4.0, 16.0, 60.0)
"""Between two tries, in seconds; after the last one the mail is given up."""

NEWS_US = 86_400_000_000
"""An event that happened longer ago, in microseconds, is not mailed any more: one day."""


class Mails:
    """Sends e-mail notifications, page by page: what the server does not take holds up the next.

    Only mail waits for mail, and no more than a page of it is in memory: the rest is in the log.
    """

    def __init__(self, engine: Engine, wishes: Wishes, postman: Postman) -> None:
        self._engine = engine
        self._wishes = wishes
        self._postman = postman

    async def tell(self, events: Sequence[Event]) -> None:
        """Send what these events call for, or give it up.

        Raises:
            StorageError: the database does not answer; nothing was sent.
        """
        after_us = clock.wall_us() - NEWS_US
        calls = await self._wishes.called_for(events, EmailAction)
        fresh = [call for call in calls if call.event.time_us > after_us]
        if len(fresh) < len(calls):
            log.warning("mail too old count=%d", len(calls) - len(fresh))
        if fresh:
            epoch = (await meta.clock(self._engine)).epoch
            known = await addresses(self._engine, {call.creator or 0 for call in fresh})
            await self._deliver(list(_mails(fresh, known)), epoch)

    async def _deliver(self, mails: list[Mail], epoch: str) -> None:
        for pause_s in (*PAUSES_S, 0.0):
            if not mails:
                return
            session = await self._postman.carry(mails, epoch)
            for note in session.notes:
                log.warning("mail refused %s", note)
            mails = session.again
            if mails and pause_s:
                text = "mail put off count=%d again_in_s=%.0f %s"
                log.warning(text, len(mails), pause_s, session.trouble)
                await asyncio.sleep(pause_s)
        if mails:
            log.warning("mail given up count=%d", len(mails))


def _mails(calls: Sequence[Call[EmailAction]], known: Mapping[int, str]) -> Iterator[Mail]:
    """Yield the mails that have somebody to go to."""
    numbers: Counter[int] = Counter()
    for call in calls:
        creator = known.get(call.creator or 0, "")
        to = call.action.to or ([creator] if is_address(creator) else [])
        numbers[call.event.gseq] += 1
        mail = Mail(call.event, call.action, numbers[call.event.gseq], tuple(to))
        if mail.recipients:
            yield mail
