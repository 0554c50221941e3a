"""The last way to a hub: asking every few seconds, ``GET /v1/events?after=``.

It gets through wherever the hub can be called at all. Pages know no snapshots and no filters of
jobs: without a cursor they begin with the oldest event that the log still has.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
from msgspec import structs

from channels.protocol.codec import encode
from channels.protocol.frames import (
    Bookmark,
    ClientFrame,
    Event,
    Events,
    Filter,
    Hello,
    ResetReason,
    ServerFrame,
    Subscribe,
    Subscribed,
)
from channels.protocol.subscribing import shows_progress, shows_transitions
from hub.client.address import Address
from hub.client.held import Held
from hub.client.link import LOST, LinkClosed, NotNow, WayCut, refusal
from hub.wire.events import EventOut, EventPage

PATH = "/v1/events"
PAGE = 500
PAUSE_S = 2.0
"""Between two questions that found nothing new."""

PAGE_S = 30.0
GONE = 410


class PageLink:
    """Pages of the log, as if they came by themselves."""

    def __init__(self, client: httpx.AsyncClient, address: Address) -> None:
        self._client = client
        self._url = address.http(PATH)
        self.is_proven = False
        self._frames: deque[ServerFrame] = deque([Hello(conn="", epoch="", auth="ok")])
        self._wish: Subscribe | None = None
        self._at: str | None = None
        self._is_at_head = False
        self._held = Held(self._ask)

    async def receive(self) -> bytes:
        """Return what the next page says."""
        while not self._frames:
            self._frames.extend(await self._held.get())
            self.is_proven = True
        return encode(self._frames.popleft())

    async def send(self, frame: ClientFrame) -> None:
        """Begin; other messages have no meaning here."""
        if isinstance(frame, Subscribe):
            self._wish = frame
            self._at = frame.cursor

    async def close(self, code: int, why: str) -> None:
        """Ask no more."""
        await self._held.end()

    async def _ask(self) -> list[ServerFrame]:
        wish = self._wish
        if wish is None:
            raise LinkClosed(LOST, "nothing was asked for")
        if self._is_at_head:
            await asyncio.sleep(PAUSE_S)
        if not self.is_proven:
            return await self._begin(wish)
        return await self._go_on(wish)

    async def _begin(self, wish: Subscribe) -> list[ServerFrame]:
        if wish.cursor is not None:
            page = await self._page(wish.cursor)
            if page is None:
                return await self._begin_anew(wish, "expired")
            return [_subscribed(wish, "resume", wish.cursor), *self._frames_of(wish, page)]
        return await self._begin_anew(wish, None)

    async def _begin_anew(self, wish: Subscribe, reset: ResetReason | None) -> list[ServerFrame]:
        page = await self._page(None)
        if page is None:
            raise LinkClosed(LOST, "the log ran away")
        if wish.snapshot == "never":
            self._at = page.head
            return [_subscribed(wish, "live", page.head, reset)]
        self._at = ""
        return [_subscribed(wish, "live", "", reset), *self._frames_of(wish, page)]

    async def _go_on(self, wish: Subscribe) -> list[ServerFrame]:
        page = await self._page(self._at)
        if page is None:
            raise LinkClosed(LOST, "the log no longer reaches back to here")
        return self._frames_of(wish, page)

    def _frames_of(self, wish: Subscribe, page: EventPage) -> list[ServerFrame]:
        before, self._at = self._at or "", page.cursor
        self._is_at_head = page.cursor == page.head
        shown = [_event(item) for item in page.items if _shows(wish, item)]
        if not shown:
            return [Bookmark(id=wish.id, from_=before, cursor=page.cursor)]
        return [Events(id=wish.id, from_=before, to=page.cursor, events=shown)]

    async def _page(self, after: str | None) -> EventPage | None:
        """Return the page behind a cursor, ``None`` where the log no longer reaches back to it."""
        asked = {"limit": str(PAGE)} | ({} if after is None else {"after": after})
        try:
            async with asyncio.timeout(PAGE_S):
                answer = await self._client.get(self._url, params=asked)
        except (httpx.TransportError, TimeoutError) as error:
            raise NotNow(LOST, f"no hub answers: {error!r}") from error
        if answer.status_code == GONE:
            return None
        if not answer.is_success:
            raise refusal(answer.status_code, answer.headers, answer.content)
        try:
            return msgspec.json.decode(answer.content, type=EventPage)
        except msgspec.DecodeError as error:
            raise WayCut(f"an answer that is no page: {error}") from error


def _subscribed(
    wish: Subscribe, mode: str, at: str, reset: ResetReason | None = None
) -> Subscribed:
    return msgspec.convert(
        {"id": wish.id, "mode": mode, "from": at, "head": at, "retained_from": at, "reset": reset},
        Subscribed,
    )


def _shows(wish: Subscribe, item: EventOut) -> bool:
    if wish.jobs and item.job not in wish.jobs:
        return False
    return shows_progress(wish) if item.type == "job.progress" else shows_transitions(wish)


def _event(item: EventOut) -> Event:
    return msgspec.convert(structs.asdict(item) | {"skip": 0}, Event)


def can_page(wish: Subscribe) -> bool:
    """Whether pages can tell what ``wish`` asks for."""
    of_events = Filter(type=wish.filter.type)
    return wish.topic != "workers" and wish.filter == of_events


@asynccontextmanager
async def page_link(address: Address, wish: Subscribe) -> AsyncIterator[PageLink]:
    """Make ready to ask for pages.

    Raises:
        WayCut: Pages cannot tell what ``wish`` asks for.
    """
    if not can_page(wish):
        raise WayCut("pages know no filter of jobs")
    async with address.client() as client:
        link = PageLink(client, address)
        try:
            yield link
        finally:
            await link.close(1000, "")
