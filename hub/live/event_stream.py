"""Endless answers over HTTP: the same subscriptions as those of a socket, in another form.

Two tasks an answer: one writes, the other hears that the client left, for writing to nobody raises
nothing.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NamedTuple

from litestar import Response

from channels.conflation import Mode
from channels.events import BadCursor, Cursor
from channels.protocol.frames import Subscribe
from hub import clock
from hub.auth.guard import admission_of
from hub.errors import CursorGone, HubError
from hub.live.following import BadCursorText, Expired, Following, TooSlow, reset_reason
from hub.live.gallery import Gallery
from hub.live.registry import RESTARTING, OpenSocket
from hub.live.selecting import selection_of
from hub.live.stream_faces import FACES, RETRY_MS, StreamFace
from orm.errors import StorageError
from orm.queries import meta

log = logging.getLogger("hub.live")

ABORT = "hub.abort"
"""The extension of a scope that drops its connection at once."""

MODE: Mode = "all"
"""What of progress a stream gets that does not say."""

RETRY_SPREAD_MS = 3_000
"""Who was sent away by a process that stops comes back within this time more, not all at once."""

FAREWELL_S = 1.0
"""How long the end of an answer may take; a client that takes nothing is dropped then."""

HEADERS = (
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Pace(NamedTuple):
    """When something is due, in seconds.

    Attributes:
        breath_s: The shortest time between two writes: what comes meanwhile goes along.
        heartbeat_s: The longest time without a sign of life.
        bookmark_s: The longest time without a place to come back to.
        stall_s: A client that takes nothing for this long is cut off.
    """

    breath_s: float = 0.005
    heartbeat_s: float = 15.0
    bookmark_s: float = 60.0
    stall_s: float = 15.0


class Stalled(Exception):
    """The client takes nothing any more."""


class EventStreams:
    """Opens streams.

    Attributes:
        media_types: Those there are, the one for who does not say first.
    """

    media_types = tuple(FACES)

    def __init__(self, gallery: Gallery, pace: Pace | None = None) -> None:
        self._gallery = gallery
        self._pace = pace or Pace()

    def answer(self, wish: Subscribe, media_type: str, *, may_reset: bool) -> Response[str]:
        """Return the answer that tells what ``wish`` asks for, as long as the client listens.

        What is wrong with the wish is raised before the answer begins; without ``may_reset`` that
        is also a cursor that the log cannot go on behind (``CursorGone``).
        """
        face = FACES[media_type](self._gallery.epoch)
        return _Endless(EventStream(self._gallery, self._pace, face, wish, may_reset=may_reset))


class _Endless(Response[str]):
    """Litestar's name for an answer that is its own ASGI application."""

    def __init__(self, stream: "EventStream") -> None:
        super().__init__("")
        self._stream = stream

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return what sends the answer."""
        return self._stream


class EventStream:
    """One endless answer, as an ASGI application."""

    def __init__(
        self, gallery: Gallery, pace: Pace, face: StreamFace, wish: Subscribe, *, may_reset: bool
    ) -> None:
        self._gallery = gallery
        self._pace = pace
        self._face = face
        self._wish = wish
        self._may_reset = may_reset

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send the answer.

        Raises:
            HubError: there cannot be one; nothing was sent yet.
        """
        gallery, wish = self._gallery, self._wish
        with gallery.sockets.entered(admission_of(scope)) as open_socket:
            await self._check_cursor()
            selection = await selection_of(gallery.engine, scope["user"], wish)
            mode = wish.progress if isinstance(wish.progress, str) else MODE
            news = _News()
            reader = gallery.feed.read(selection, news.come, mode=mode)
            following = Following(wish.id, reader, gallery, self._face)
            try:
                async with aclosing(following.begin(wish)) as beginning:
                    first = await anext(beginning)
                    writer = _Writer(following, self._face, self._pace, news, send)
                    writing = writer.run(self._head(), first, beginning, self._may_reset)
                    await self._serve(scope, receive, send, open_socket, writer, writing)
            finally:
                following.close()

    async def _check_cursor(self) -> None:
        if self._may_reset or self._wish.cursor is None:
            return
        try:
            cursor = Cursor.parse(self._wish.cursor)
        except BadCursor as error:
            raise BadCursorText(str(error)) from error
        if reset_reason(cursor, await meta.clock(self._gallery.engine)) is not None:
            raise CursorGone

    def _head(self) -> Any:
        headers = [(b"content-type", self._face.media_type.encode()), *HEADERS]
        return {"type": "http.response.start", "status": 200, "headers": headers}

    async def _serve(
        self,
        scope: Any,
        receive: Receive,
        send: Send,
        open_socket: OpenSocket,
        writer: "_Writer",
        to_write: Awaitable[None],
    ) -> None:
        """Write until the client leaves, the right to listen ends, or the hub stops; then end."""
        writing = asyncio.ensure_future(to_write)
        gone = asyncio.create_task(_gone(receive))
        try:
            ends: set[asyncio.Future[Any]] = {writing, gone, open_socket.ended}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            try:
                await _stopped(writing)
                await self._part(writer, open_socket)
            except Stalled:
                # Dropped, for ending it politely would wait for a buffer that nobody empties.
                scope.get("extensions", {}).get(ABORT, _nothing)()
                await asyncio.wait({gone}, timeout=FAREWELL_S)
        finally:
            for task in (writing, gone):
                task.cancel()
            await asyncio.gather(writing, gone, return_exceptions=True)

    async def _part(self, writer: "_Writer", open_socket: OpenSocket) -> None:
        """End the answer, so that the client sees that nothing is missing.

        Raises:
            Stalled: it does not take even that.
        """
        is_restart = open_socket.ended.done() and open_socket.ended.result() == RESTARTING
        retry_ms = RETRY_MS + random.randint(0, RETRY_SPREAD_MS)  # spreads load
        await writer.end(self._face.farewell(retry_ms) if is_restart else b"")


class _News:
    """Whether there is something to look at; the feed says so, the writer waits for it."""

    def __init__(self) -> None:
        self.is_there = True
        self._sleeper: asyncio.Future[None] | None = None

    def come(self) -> None:
        """Say that there is."""
        self.is_there = True
        self.wake()

    def wake(self) -> None:
        """End a wait."""
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def wait(self) -> None:
        """Wait until there is news, or somebody wakes."""
        if self.is_there:
            return
        self._sleeper = asyncio.get_running_loop().create_future()
        try:
            await self._sleeper
        finally:
            self._sleeper = None


class _Writer:
    """Sends what a subscription has to say, in its order, and signs of life in between."""

    def __init__(
        self, following: Following, face: StreamFace, pace: Pace, news: _News, send: Send
    ) -> None:
        self._following = following
        self._face = face
        self._pace = pace
        self._news = news
        self._to_client = send
        self._written_s = clock.monotonic_s()
        self._placed_s = -pace.bookmark_s
        self._alarm: asyncio.TimerHandle | None = None
        self._has_begun = False

    async def run(
        self, head: Any, first: bytes, beginning: AsyncGenerator[bytes], may_reset: bool
    ) -> None:
        """Send the head of the answer, and then until the subscription is over.

        Raises:
            Stalled: the client takes nothing.
        """
        await self._pass(head, self._pace.stall_s)
        self._has_begun = True
        try:
            await self._say(self._face.greeting() + first)
            async for frame in beginning:
                await self._say(frame)
            while not self._following.is_over:
                await self._tell_news(may_reset=may_reset)
                await self._keep_alive()
                self._set_alarm()
                await self._news.wait()
        except Expired:
            log.info("stream ended reason=expired")  # the next request is told why
        except TooSlow:
            log.info("stream cut off reason=too_slow")
        except (HubError, StorageError) as error:
            # The answer has begun, so that only its end can say that something is wrong.
            log.warning("stream ended error=%s", error)
        finally:
            if self._alarm is not None:
                self._alarm.cancel()

    async def end(self, last: bytes) -> None:
        """End the answer.

        Raises:
            Stalled: the client does not take that either.
        """
        if not self._has_begun:
            raise Stalled
        await self._pass(
            {"type": "http.response.body", "body": last, "more_body": False}, FAREWELL_S
        )

    async def _tell_news(self, *, may_reset: bool) -> None:
        """Send all that there is now."""
        is_more = True
        while is_more:
            await self._take_breath()
            self._news.is_there = False
            try:
                frame, is_more = await self._following.next()
            except Expired:
                if not may_reset:
                    raise
                await self._restart()
                continue
            if frame is not None:
                await self._say(frame, is_place=True)
            elif is_more:  # a look back at what is not wanted: that may take long
                await self._keep_alive()
                await asyncio.sleep(0)

    async def _keep_alive(self) -> None:
        """Send a sign of life if one is due, with a place to come back to if that is due too."""
        now_s = clock.monotonic_s()
        needs_place = now_s - self._placed_s >= self._pace.bookmark_s
        is_silent = now_s - self._written_s >= self._pace.heartbeat_s
        if needs_place or (is_silent and not self._face.heartbeat):
            await self._say(self._following.bookmark(), is_place=True)
        elif is_silent:
            await self._say(self._face.heartbeat)

    async def _restart(self) -> None:
        async with aclosing(self._following.restart("expired")) as frames:
            async for frame in frames:
                await self._say(frame)

    async def _say(self, data: bytes, *, is_place: bool = False) -> None:
        if not data:
            return
        message = {"type": "http.response.body", "body": data, "more_body": True}
        await self._pass(message, self._pace.stall_s)
        self._written_s = clock.monotonic_s()
        if is_place:
            self._placed_s = self._written_s

    async def _pass(self, message: Any, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._to_client(message)
        except TimeoutError:
            raise Stalled from None

    async def _take_breath(self) -> None:
        left_s = self._written_s + self._pace.breath_s - clock.monotonic_s()
        if left_s > 0:
            await asyncio.sleep(left_s)

    def _set_alarm(self) -> None:
        """Be woken when a sign of life is due; set again when it rings costs less than moved."""
        if self._alarm is None:
            wait_s = self._written_s + self._pace.heartbeat_s - clock.monotonic_s()
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._news.wake()


async def _stopped(writer: "asyncio.Future[None]") -> None:
    """Stop a writer unless it has ended, and raise what ended it."""
    writer.cancel()
    await asyncio.wait({writer})
    if not writer.cancelled():
        writer.result()


async def _gone(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _nothing() -> None:
    """Stand in for what a server does not have."""
