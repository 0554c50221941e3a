"""``ws /v1/stream``: many subscriptions over one socket; and ``hub.v1`` for one job.

Two tasks a socket: one hears the client, the other writes. Whatever ends first ends the other.
"""

import asyncio
import secrets
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency

from channels.protocol.codes import SUBPROTOCOL
from channels.protocol.frames import Subscribe
from channels.protocol.server_session import ServerSession
from hub import clock
from hub.auth.doors import speaks
from hub.auth.guard import admission_of
from hub.errors import HubError, InvalidInput
from hub.live.conversation import Conversation, life_s
from hub.live.gallery import Gallery
from hub.live.registry import RESTARTING, OpenSocket
from hub.live.sink import Send, close, sink_of
from hub.live.standing import standing

LAST_WORDS_S = 2.0
"""How long a socket that has to go may take for what was ordered before."""

AnySocket = WebSocket[Any, Any, Any]


@websocket("/v1/stream", opt={"action": "stream", "speaks": (SUBPROTOCOL,)})
async def stream(socket: AnySocket, gallery: NamedDependency[Gallery]) -> None:
    """Follow jobs, lists of jobs, or the nodes, in the language ``hub.v1``."""
    await converse(socket, gallery, "stream")


async def converse(
    socket: AnySocket, gallery: Gallery, action: str, *, job: int | None = None
) -> None:
    """Speak ``hub.v1`` over a socket, about everything or about one ``job``.

    ``?cursor=`` and ``?progress=`` are for one job only: it is followed without being asked for.
    """
    scope: Any = socket.scope
    send: Send = socket.send
    try:
        if not speaks(scope):
            raise InvalidInput(f"offer the subprotocol {SUBPROTOCOL}: nothing else is spoken here")
        admission = admission_of(scope)
        with gallery.sockets.entered(admission) as open_socket:
            opening = None if job is None else _opening(socket, job)
            if job is not None and admission is not None:
                await standing(gallery.feed, gallery.engine, job)
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL, "headers": []})
            session = ServerSession(
                f"c_{secrets.token_hex(4)}",
                gallery.epoch,
                None if admission is None else life_s(admission),
                clock.monotonic_s(),
            )
            talk = Conversation(
                gallery, sink_of(scope, send), session, open_socket, action, opening
            )
            await _serve(socket, talk, open_socket)
    except HubError as error:
        await gallery.refuse(scope, socket.receive, send, error)


def _opening(socket: AnySocket, job: int) -> Subscribe:
    progress: Any = socket.query_params.get("progress", "all")
    if progress not in ("latest", "all", "none"):
        raise InvalidInput("progress is latest, all or none", fields={"progress": ["Unknown."]})
    cursor = socket.query_params.get("cursor")
    return Subscribe(id="job", topic="job", jobs=(job,), progress=progress, cursor=cursor)


async def _serve(socket: AnySocket, talk: Conversation, open_socket: OpenSocket) -> None:
    writing = asyncio.create_task(talk.write())
    hearing = asyncio.create_task(_hear(socket, talk))
    try:
        ends: set[asyncio.Future[Any]] = {writing, hearing, open_socket.ended}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if open_socket.ended.done() and not writing.done():
            _dismiss(talk, open_socket.ended.result())
            await asyncio.wait(
                {writing, hearing}, timeout=LAST_WORDS_S, return_when=asyncio.FIRST_COMPLETED
            )
        if hearing.done():
            hearing.result()
        elif writing.done():
            await close(socket.send, writing.result())
    finally:
        for task in (writing, hearing):
            task.cancel()
        await asyncio.gather(writing, hearing, return_exceptions=True)


def _dismiss(talk: Conversation, code: int) -> None:
    if code == RESTARTING:
        talk.drain()
    else:
        talk.revoke(code)


async def _hear(socket: AnySocket, talk: Conversation) -> None:
    """Pass on what the client says until it leaves."""
    message: Any = await socket.receive()
    while message["type"] != "websocket.disconnect":
        if message["type"] == "websocket.receive":
            text = message.get("text")
            talk.hear(message["bytes"] if text is None else text)
        message = await socket.receive()
