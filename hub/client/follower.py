"""Follow a hub: everything that happens, in order, each once, over any number of connections.

    async with aclosing(Follower(Address.of_environment(), wish).news()) as news:
        async for order in news:
            ...

The machine of ``channels.protocol`` knows the language and checks what comes; here are the
connections, the waits and the cursor. The cursor is stored when the caller asks for what comes
after the events before it, so that a crash shows some of them again and skips none.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress

from msgspec import structs

from channels.protocol.client_session import ClientSession
from channels.protocol.codes import Advice
from channels.protocol.frames import Subscribe
from channels.protocol.orders import (
    Apply,
    Ended,
    Forget,
    Leave,
    Noted,
    Order,
    Presence,
    RenewToken,
    Say,
    Store,
    Swap,
)
from channels.protocol.orders import (
    Refused as WishRefused,
)
from channels.protocol.subscribing import objection
from hub.client.address import Address
from hub.client.cursors import CursorStore, MemoryCursor
from hub.client.errors import Refused, SignedOut
from hub.client.line_link import line_link
from hub.client.link import LOST, Link, LinkClosed, NotNow, Way, WayCut
from hub.client.page_link import page_link
from hub.client.socket_link import socket_link

log = logging.getLogger("hub.client")

News = Apply | Swap | Forget | Presence
"""What a follower tells: an event; all rows anew; that what it told is void; the nodes."""

Renew = Callable[[], Awaitable[str]]
"""Gets a fresh token."""

WAYS: tuple[Way, ...] = (socket_link, line_link, page_link)
"""From the best to the one that always works."""

TRIES = 3
"""So many connections that end without a word from the hub say that this way is cut."""

DETOUR_S = 300.0
"""How long to use another way before the best one is tried again."""

RENEW_S = 30.0
LAST_WORDS_S = 5.0


class Follower:
    """Follows one selection.

    Args:
        address: Which hub, and the token to begin with.
        wish: What to follow; its ``cursor`` counts where ``cursors`` has none.
        cursors: Where to keep the place; by default it is lost with this program.
        renew: Gets a fresh token when one is needed; without it a token that ended ends all.
        ways: Kinds of connections, from the best on.
        chance: Gives random numbers from 0 to 1 for the waits.

    Raises:
        ValueError: ``wish`` contradicts itself.
    """

    def __init__(
        self,
        address: Address,
        wish: Subscribe,
        *,
        cursors: CursorStore | None = None,
        renew: Renew | None = None,
        ways: Sequence[Way] = WAYS,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if (wrong := objection(wish)) is not None:
            raise ValueError(wrong)
        self._address = address
        self._wish = wish
        self._cursors = cursors or MemoryCursor(wish.cursor)
        self._renew = renew
        self._ways = ways
        self._way = 0
        self._way_back_s = 0.0
        self._mute_tries = 0
        self._chance = chance

    async def run(self, handle: Callable[[News], Awaitable[None]]) -> None:
        """Pass everything to ``handle``, one after the other; its errors end it.

        Raises:
            Refused: The hub will not tell this.
            SignedOut: The token is not good, and cannot be renewed.
        """
        async with aclosing(self.news()) as news:
            async for one in news:
                await handle(one)

    async def news(self) -> AsyncGenerator[News]:
        """Give everything that happens, for ever. Whoever stops early closes the generator.

        Raises:
            Refused: The hub will not tell this.
            SignedOut: The token is not good, and cannot be renewed.
        """
        async with aclosing(self._orders()) as orders:
            async for order in orders:
                if isinstance(order, Store):
                    await self._cursors.save(order.cursor)
                else:
                    yield order

    async def _orders(self) -> AsyncGenerator[News | Store]:
        stored = await self._cursors.load()
        wish = structs.replace(self._wish, cursor=stored or self._wish.cursor)
        session = ClientSession([wish], self._address.token or None)
        while True:
            try:
                async with aclosing(self._connection(session, wish)) as orders:
                    async for order in orders:
                        if isinstance(order, Store):
                            wish = structs.replace(wish, cursor=order.cursor)
                        yield order
            except WayCut as cut:
                self._go_round(str(cut))
                await self._act_on(session, LinkClosed(LOST, str(cut)))
            except LinkClosed as closed:
                if isinstance(closed, NotNow):
                    self._mute_tries = 0
                await self._act_on(session, closed)
            if not session.subscriptions:  # the hub ended it and closed: the advice decides
                session.subscribe(wish, _now_s())

    # --- One connection ---------------------------------------------------------------------------

    async def _connection(
        self, session: ClientSession, wish: Subscribe
    ) -> AsyncGenerator[News | Store]:
        if self._way and _now_s() >= self._way_back_s:
            self._way = 0
        self._mute_tries += 1
        async with self._ways[self._way](self._address, wish) as link:
            session.opened(_now_s())
            try:
                async with aclosing(self._conversation(session, link)) as orders:
                    async for order in orders:
                        yield order
            finally:
                if link.is_proven:
                    self._mute_tries = 0

    async def _conversation(
        self, session: ClientSession, link: Link
    ) -> AsyncGenerator[News | Store]:
        while not (self._way and _now_s() >= self._way_back_s):
            for order in await self._next(session, link):
                match order:
                    case Apply() | Swap() | Forget() | Presence() | Store():
                        yield order
                    case _:
                        await self._obey(session, link, order)

    async def _next(self, session: ClientSession, link: Link) -> list[Order]:
        """Return what the next message asks for, or the time."""
        try:
            async with asyncio.timeout_at(session.deadline_s):
                message = await link.receive()
        except TimeoutError:
            return session.tick(_now_s())
        return session.hear(message, _now_s())

    async def _obey(self, session: ClientSession, link: Link, order: Order) -> None:
        match order:
            case Say(frame=frame):
                await link.send(frame)
            case RenewToken():
                await self._renew_here(session, link)
            case Leave(code=code, why=why):
                log.warning("client.left code=%d why=%s", code, why)
                await link.close(code, why)
                raise LinkClosed(code, why)
            case WishRefused(id=str(), code=code, detail=detail):
                raise Refused(code, detail)
            case Ended(reason=reason):
                await self._hear_out(link)
                raise Refused(reason, "the hub ended the subscription")
            case Noted(code=code):
                log.info("client.noted code=%s", code)

    async def _hear_out(self, link: Link) -> None:
        """Wait for the close that may come after the end of a subscription, and says why."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                while True:
                    await link.receive()

    # --- Credentials ------------------------------------------------------------------------------

    async def _renew_here(self, session: ClientSession, link: Link) -> None:
        """Renew the token on the open connection; if that fails, its end is dealt with later."""
        if self._renew is None:
            return
        try:
            token = await self._fresh(self._renew)
        except SignedOut as error:
            log.warning("client.not_renewed why=%s", error)
            return
        for order in session.renew(token):
            await self._obey(session, link, order)

    async def _fresh(self, renew: Renew) -> str:
        try:
            async with asyncio.timeout(RENEW_S):
                token = await renew()
        except TimeoutError as error:
            raise SignedOut("no fresh token came in time") from error
        self._address = structs.replace(self._address, token=token)
        return token

    # --- After a connection -----------------------------------------------------------------------

    async def _act_on(self, session: ClientSession, closed: LinkClosed) -> None:
        after = session.closed(closed.code, self._chance())
        log.info("client.closed code=%d why=%s", closed.code, closed.why)
        if after.advice is Advice.STOP:
            raise Refused(closed.code, closed.why)
        if after.advice is Advice.RENEW and self._renew is None:
            raise SignedOut(closed.why)
        if self._mute_tries >= TRIES:
            self._go_round(closed.why)
        await asyncio.sleep(max(after.wait_s, closed.retry_after_s))
        if after.advice is Advice.RENEW and self._renew is not None:
            session.renew(await self._fresh(self._renew))

    def _go_round(self, why: str) -> None:
        """Take the next way; from the last one back to the best."""
        self._mute_tries = 0
        self._way = (self._way + 1) % len(self._ways)
        self._way_back_s = _now_s() + DETOUR_S
        log.warning("client.way_cut next=%d why=%s", self._way, why)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
