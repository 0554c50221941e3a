"""``ws /v1/jobs/{pk}``: everything that happens to one job, as it is committed.

The watcher is registered before it is found out how the job stands: an event committed between the
two is in one of them, and what the first message already tells is skipped by its number.
"""

import asyncio
from typing import Any

from litestar import websocket
from litestar.di import NamedDependency
from litestar.params import FromPath

from channels.events import BadCursor, Cursor, Event
from channels.protocol.codes import SUBPROTOCOL, Close
from channels.subscription import JobSubscription, SubscriptionClosed
from hub.auth.doors import speaks
from hub.auth.guard import admission_of
from hub.errors import CursorGone, HubError, InvalidInput
from hub.live.gallery import Gallery
from hub.live.registry import RESTARTING, OpenSocket
from hub.live.sink import PeerGone, Send, Sink, close, sink_of
from hub.live.standing import standing
from hub.live.stream_socket import AnySocket, converse
from hub.live.turns import Turns
from hub.live.ufdl import Messages
from orm.engine import Engine
from orm.queries import meta

PUSHED, PUSHED_BYTES = 64, 64_000
"""News below so many events and bytes is written in one go, past the writer."""


@websocket("/v1/jobs/{pk:int}", opt={"action": "jobs_watch", "speaks": (SUBPROTOCOL,)})
async def watch_job(
    socket: AnySocket, pk: FromPath[int], gallery: NamedDependency[Gallery]
) -> None:
    """Watch one job, in UFDL's plain messages unless ``hub.v1`` is offered.

    ``?cursor=`` replays what came after a cursor instead of the first message; ``?strict=1`` leaves
    out the members that UFDL does not have. Of the subprotocols that a client offers none is
    chosen: a one-use ticket among them signs it in, which a browser takes no answer without a
    choice to, so pages use the session cookie here.
    """
    scope = socket.scope
    if speaks(scope):
        await converse(socket, gallery, "jobs_watch", job=pk)
        return
    send: Send = socket.send
    try:
        with gallery.sockets.entered(admission_of(scope)) as open_socket:
            subscription, messages, first = await _begin(socket, pk, gallery)
            with subscription:
                await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
                sink = sink_of(scope, send)
                writer = _Writer(sink, subscription, messages, gallery.turns)
                await _serve(socket, open_socket, writer, first)
    except HubError as error:
        await gallery.refuse(scope, socket.receive, send, error)


async def _begin(
    socket: AnySocket, pk: int, gallery: Gallery
) -> tuple[JobSubscription, Messages, bytes | None]:
    """Register the watcher, then see how the job stands.

    Raises:
        NotFound: there is no such job.
        InvalidInput: ``cursor`` is no cursor.
        CursorGone: the log no longer reaches back to it.
    """
    subscription = gallery.feed.watch(pk)
    try:
        job = await standing(gallery.feed, gallery.engine, pk)
        messages = Messages(gallery.epoch, strict=socket.query_params.get("strict") == "1")
        cursor = socket.query_params.get("cursor")
        if cursor is not None:
            subscription.position = await _resumed(gallery.engine, cursor)
            return subscription, messages, None
        subscription.position = max(subscription.position, job.gseq)
        return subscription, messages, messages.first(job)
    except BaseException:
        subscription.close()
        raise


async def _resumed(engine: Engine, text: str) -> int:
    try:
        cursor = Cursor.parse(text)
    except BadCursor as error:
        raise InvalidInput(str(error), fields={"cursor": [str(error)]}) from error
    now = await meta.clock(engine)
    if cursor.epoch != now.epoch or not now.floor <= cursor.gseq <= now.gseq:
        raise CursorGone
    return cursor.gseq


class _Writer:
    """Sends every event of a subscription, oldest first; one slow watcher holds up nobody else."""

    def __init__(
        self, sink: Sink, subscription: JobSubscription, messages: Messages, turns: Turns
    ) -> None:
        self._sink = sink
        self._subscription = subscription
        self._messages = messages
        self._turns = turns
        self._is_pushing = False

    async def run(self, first: bytes | None) -> int:
        """Send until the feed ends or the peer stalls or leaves; return the code to close with."""
        try:
            if first is not None:
                await self._sink.send([first])
            self._subscription.listener = self._hear
            while True:
                shown = self._shown(await self._subscription.next())
                if shown:
                    await self._sink.send(shown)
        except SubscriptionClosed:
            return RESTARTING
        except TimeoutError:
            self._sink.abort()
            return Close.SLOW
        except PeerGone:
            return Close.GOING_AWAY

    def _shown(self, events: list[Event]) -> list[bytes]:
        frames = [self._messages.of_event(event) for event in events]
        return [frame for frame in frames if frame is not None]

    def _hear(self) -> None:
        """Hear that there is news, from the feed, while the writer sleeps."""
        if not self._is_pushing:
            self._is_pushing = True
            self._turns.add(self._push)

    def _push(self) -> None:
        """Send a little news without waking the writer, which would cost more than the write."""
        self._is_pushing = False
        events = self._subscription.take(PUSHED, PUSHED_BYTES) if self._sink.is_free else None
        if events is None:
            self._subscription.rouse()
            return
        shown = self._shown(events)
        if shown:
            self._sink.put(shown[0] if len(shown) == 1 else b"".join(shown))


async def _serve(
    socket: AnySocket, open_socket: OpenSocket, writer: _Writer, first: bytes | None
) -> None:
    """Write until the peer leaves, the right to watch ends, or the hub stops; then close."""
    writing = asyncio.create_task(writer.run(first))
    reading = asyncio.create_task(_until_left(socket))
    try:
        ends: set[asyncio.Future[Any]] = {writing, reading, open_socket.ended}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            code = open_socket.ended.result() if open_socket.ended.done() else writing.result()
            await close(socket.send, code)
    finally:
        for task in (writing, reading):
            task.cancel()
        await asyncio.gather(writing, reading, return_exceptions=True)


async def _until_left(socket: AnySocket) -> None:
    """Read and ignore what the watcher says until it leaves; only a reader learns that it left."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
