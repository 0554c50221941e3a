"""Clients that write down all they do and see: of ``hub.v1`` and of the plain job socket.

They do what a good client does: each message is handled, then its cursor is stored, and whoever was
cut off comes back with the stored one. They judge nothing.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import IO, Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from channels.protocol.codes import SUBPROTOCOL
from channels.protocol.frames import Subscribe as Asked
from tests.hubcheck.history import (
    Applied,
    Client,
    Close,
    Connect,
    Face,
    Frame,
    History,
    Quiet,
    Recorder,
    Refused,
    Subscribe,
)

LIMIT_S = 10.0
BACK_OFF_S = 0.05
"""Pause before another try after a cut."""

CUT = (ConnectionClosed, InvalidHandshake, OSError, EOFError, TimeoutError)
"""How a connection can end by no fault of the client."""

Message = dict[str, Any]


class GaveUp(Exception):
    """The hub closed for good, or refused the handshake."""


class _Recording:
    """What all recorders have: a history, one connection at a time, the stored cursors.

    Args:
        client: Its name in the history.
        headers: Of its handshakes, such as ``Authorization``.
        account: Whose token that is, for filters that say ``me``.
        file: Where the history is written, as it happens.
        limit_s: How long a handshake may take.
    """

    face: Face

    def __init__(
        self,
        client: str,
        headers: dict[str, str] | None = None,
        *,
        account: str = "",
        file: IO[bytes] | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._recorder = Recorder(file)
        self._limit_s = limit_s
        self._headers = headers or {}
        self._conn = 0
        self._connection: ClientConnection | None = None
        self.stored: dict[str, str] = {}
        self._write(Client, client=client, face=self.face, account=account)

    def _write(self, kind: Callable[..., Any], **members: Any) -> None:
        self._recorder.write(kind(at=self._recorder.now(), **members))

    @property
    def history(self) -> History:
        """All that was written until now."""
        return self._recorder.history

    @property
    def connections(self) -> int:
        """How often it tried to connect."""
        return self._conn

    def quiet(self, within_s: float) -> None:
        """Note that nobody changes anything any more: all must have come so many seconds later."""
        self._write(Quiet, within_s=within_s)

    @asynccontextmanager
    async def _connected(
        self, url: str, sub: str = "", subprotocol: str | None = None
    ) -> AsyncIterator[ClientConnection]:
        """One connection; how it ends is written down, and a cut ends the block without an error.

        Raises:
            GaveUp: the handshake was refused with a status that another try cannot change.
        """
        self._conn += 1
        self._write(Connect, conn=self._conn)
        offered = [Subprotocol(subprotocol)] if subprotocol else None
        try:
            self._connection = await connect(
                url,
                subprotocols=offered,
                additional_headers=self._headers,
                proxy=None,
                open_timeout=self._limit_s,
                close_timeout=1.0,
            )
        except InvalidStatus as refusal:
            self._refused(refusal, sub)
            if refusal.response.status_code < 500:
                raise GaveUp(str(refusal)) from refusal
            raise
        try:
            yield self._connection
        finally:
            await self._connection.close()
            self._write(Close, conn=self._conn, code=self._connection.close_code)
            self._connection = None

    def _refused(self, refusal: InvalidStatus, sub: str) -> None:
        code = ""
        with suppress(ValueError, KeyError, TypeError):  # they may be a proxy's words
            code = json.loads(refusal.response.body)["code"]
        status = refusal.response.status_code
        self._write(Refused, conn=self._conn, status=status, code=code, sub=sub)

    def _store(self, sub: str, cursor: str) -> None:
        self.stored[sub] = cursor
        self._write(Applied, sub=sub, cursor=cursor)


Until = Callable[[Message], bool]
"""Says of a message that it was the last one to wait for."""


class PlainRecorder(_Recording):
    """Watches one job through ``ws /v1/jobs/{pk}``; comes back whenever it is cut off."""

    face = "plain"

    def __init__(self, url: str, job: int, client: str, **members: Any) -> None:
        super().__init__(client, **members)
        self.url = url
        self._job = job
        self._sub = f"job {job}"
        self.messages: list[Message] = []

    async def watch(self, until: Until) -> None:
        """Watch until a message says so; cancel it or put a limit on it.

        Raises:
            GaveUp: the hub refused.
        """
        while True:
            if await self.watch_once(until):
                return
            await asyncio.sleep(BACK_OFF_S)

    async def watch_once(self, until: Until) -> bool:
        """Watch on one connection; return whether the message came."""
        cursor = self.stored.get(self._sub)
        query = "" if cursor is None else f"?cursor={cursor}"
        try:
            async with self._connected(f"{self.url}/v1/jobs/{self._job}{query}", self._sub) as peer:
                self._write(
                    Subscribe,
                    conn=self._conn,
                    sub=self._sub,
                    jobs=(self._job,),
                    progress="all",
                    cursor=cursor,
                )
                return await self._listen(peer, until)
        except CUT:
            return False

    async def _listen(self, peer: ClientConnection, until: Until) -> bool:
        while True:
            message = json.loads(await peer.recv())
            self._write(Frame, conn=self._conn, frame=message, sub=self._sub)
            self.messages.append(message)
            self._store(self._sub, message["cursor"])
            if until(message):
                return True

    def _refused(self, refusal: InvalidStatus, sub: str) -> None:
        # So that the refusal stands beside what was asked.
        cursor = self.stored.get(sub)
        self._write(
            Subscribe, conn=self._conn, sub=sub, jobs=(self._job,), progress="all", cursor=cursor
        )
        super()._refused(refusal, sub)


class HubV1Recorder(_Recording):
    """Follows several subscriptions on one socket, and begins them again after each cut.

    Args:
        url: Of the socket, with its path.
        wanted: What to subscribe to; their ``cursor`` is for the first time only.
    """

    face = "hub.v1"

    def __init__(self, url: str, wanted: list[Asked], client: str, **members: Any) -> None:
        super().__init__(client, **members)
        self.url = url
        self._wanted = {one.id: one for one in wanted}
        self.stored |= {one.id: one.cursor for one in wanted if one.cursor is not None}
        self.frames: list[Message] = []

    async def follow(self, until: Until) -> None:
        """Follow until a message says so; cancel it or put a limit on it.

        Raises:
            GaveUp: the hub refused the handshake, or closed with a code that says stop.
        """
        while True:
            if await self.follow_once(until):
                return
            await asyncio.sleep(BACK_OFF_S)

    async def follow_once(self, until: Until) -> bool:
        """Follow on one connection; return whether the message came."""
        try:
            async with self._connected(self.url, subprotocol=SUBPROTOCOL) as peer:
                await self._subscribe(peer)
                return await self._listen(peer, until)
        except ConnectionClosed as closed:
            if closed.rcvd is not None and 4000 <= closed.rcvd.code < 4200:
                raise GaveUp(f"closed with {closed.rcvd.code}") from closed
            return False
        except CUT:
            return False

    async def _subscribe(self, peer: ClientConnection) -> None:
        for one in self._wanted.values():
            asked = msgspec.structs.replace(one, cursor=self.stored.get(one.id))
            default = (
                "latest" if peer.request is None or "/jobs/" not in peer.request.path else "all"
            )
            self._write(
                Subscribe,
                conn=self._conn,
                sub=asked.id,
                topic=asked.topic,
                jobs=asked.jobs,
                filter=asked.filter,
                progress=default if asked.progress is msgspec.UNSET else asked.progress,
                snapshot=asked.snapshot,
                cursor=asked.cursor,
            )
            await peer.send(msgspec.json.encode(asked).decode())

    async def _listen(self, peer: ClientConnection, until: Until) -> bool:
        while True:
            frame = json.loads(await peer.recv())
            self._write(Frame, conn=self._conn, frame=frame)
            self.frames.append(frame)
            self._handle(frame)
            if until(frame):
                return True

    def _handle(self, frame: Message) -> None:
        match frame:
            case {"op": "events", "id": sub, "to": cursor}:
                self._store(sub, cursor)
            case {"op": "snapshot", "id": sub, "at": cursor, "last": True}:
                self._store(sub, cursor)
            case {"op": "bookmark", "id": sub, "cursor": cursor}:
                self._store(sub, cursor)
            case {"op": "reset", "id": sub}:
                self.stored.pop(sub, None)
            case _:
                pass
