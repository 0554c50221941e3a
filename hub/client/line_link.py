"""The second way to a hub: a long HTTP answer, a JSON object a line.

The lines say less than ``hub.v1`` does: where the answer begins shows in its first line only.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from msgspec import UNSET

from channels.protocol.codec import encode
from channels.protocol.frames import (
    Bookmark,
    ClientFrame,
    Event,
    Events,
    Hello,
    Pong,
    Reset,
    ServerFrame,
    Snapshot,
    Subscribe,
    Subscribed,
)
from hub.client.address import CONNECT_S, Address
from hub.client.held import Held
from hub.client.link import LINE_MAX_BYTES, LOST, LinkClosed, NotNow, WayCut, refusal

PATH = "/v1/events/stream"
MEDIA_TYPE = "application/x-ndjson"
HEARTBEAT_MS = 30_000
"""How often a line comes, with some patience: proxies hold lines back for a while."""


class _Line(msgspec.Struct):
    type: str
    cursor: str = ""
    reason: Any = None
    at: str | None = None
    part: int | None = None
    last: bool = True
    jobs: list[Any] = []


class Translator:
    """Makes frames of lines; pure.

    Args:
        wish: What was asked for; its ``cursor`` is where the answer goes on, unless it says not.
    """

    def __init__(self, wish: Subscribe) -> None:
        self._id = wish.id
        self._at = wish.cursor or ""
        self._is_resumed = wish.cursor is not None
        self._has_begun = False
        self._parts = 0

    def frames(self, line: bytes) -> list[ServerFrame]:
        """Return what a line says; an empty one is only a sign of life.

        Raises:
            LinkClosed: It is no such line.
        """
        if not line.strip():
            return [Pong(t=None, now="")]
        try:
            told = msgspec.json.decode(line, type=_Line)
            match told.type:
                case "reset":
                    return self._reset(told)
                case "snapshot":
                    return self._snapshot(told)
                case "bookmark":
                    return [*self._begin("resume"), self._bookmark(told.cursor)]
                case "job.transition" | "job.progress":
                    event = msgspec.json.decode(line, type=Event)
                    return [*self._begin("resume"), self._event(event, told.cursor)]
                case _:
                    return []
        except msgspec.DecodeError as error:
            raise LinkClosed(LOST, f"a line that is none: {error}") from error

    def _begin(self, mode: Any, reset: Any = None) -> list[ServerFrame]:
        if self._has_begun:
            return []
        self._has_begun = True
        if mode == "resume" and not self._is_resumed:
            mode = "live"
        place = {"from_": self._at, "head": self._at, "retained_from": self._at}
        return [Subscribed(id=self._id, mode=mode, reset=reset, **place)]

    def _reset(self, told: _Line) -> list[ServerFrame]:
        self._parts = 0
        begin = self._begin("snapshot", told.reason)
        return begin or [Reset(id=self._id, reason=told.reason)]

    def _snapshot(self, told: _Line) -> list[ServerFrame]:
        begin = self._begin("snapshot")
        self._parts += 1
        self._at = told.at or told.cursor
        part = Snapshot(
            id=self._id,
            at=self._at,
            part=told.part or self._parts,
            last=told.last,
            jobs=told.jobs,
        )
        self._parts = 0 if told.last else self._parts
        return [*begin, part]

    def _bookmark(self, cursor: str) -> Bookmark:
        before, self._at = self._at, cursor
        return Bookmark(id=self._id, from_=before, cursor=cursor)

    def _event(self, event: Event, cursor: str) -> Events:
        before, self._at = self._at, cursor
        return Events(id=self._id, from_=before, to=cursor, events=[event])


class LineLink:
    """A long answer; it is asked for when the subscription is sent."""

    def __init__(self, client: httpx.AsyncClient, address: Address) -> None:
        self._client = client
        self._address = address
        self.is_proven = False
        self._frames: deque[ServerFrame] = deque(
            [Hello(conn="", epoch="", heartbeat_ms=HEARTBEAT_MS, auth="ok")]
        )
        self._wish: Subscribe | None = None
        self._translator: Translator | None = None
        self._held: Held[bytes] | None = None

    async def receive(self) -> bytes:
        """Return what the next line says."""
        while not self._frames:
            if self._held is None or self._translator is None:
                raise LinkClosed(LOST, "nothing was asked for")
            line = await self._held.get()
            self.is_proven = True
            self._frames.extend(self._translator.frames(line))
        return encode(self._frames.popleft())

    async def send(self, frame: ClientFrame) -> None:
        """Ask for the stream; other messages have no meaning here."""
        if isinstance(frame, Subscribe):
            await self._end()
            self._translator = Translator(frame)
            self._lines = self._read(frame)
            self._held = Held(self._next_line)

    async def close(self, code: int, why: str) -> None:
        """Drop the answer."""
        await self._end()

    async def _end(self) -> None:
        if self._held is not None:
            await self._held.end()
            await self._lines.aclose()
            self._held = None

    async def _next_line(self) -> bytes:
        try:
            return await anext(self._lines)
        except StopAsyncIteration as error:
            raise LinkClosed(LOST, "the stream ended") from error
        except httpx.TransportError as error:
            raise LinkClosed(LOST, f"the stream broke: {error!r}") from error

    async def _read(self, wish: Subscribe) -> AsyncGenerator[bytes]:
        headers = {"Accept": MEDIA_TYPE, "Accept-Encoding": "identity"}
        request = self._client.build_request(
            "GET", self._address.http(PATH), params=httpx.QueryParams(query(wish)), headers=headers
        )
        answer = await begun(self._client, request)
        try:
            if answer.headers.get("content-type", "").partition(";")[0] != MEDIA_TYPE:
                raise WayCut("an answer that is no stream")
            async for line in lines(answer.aiter_raw()):
                yield line
        finally:
            await answer.aclose()


async def begun(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Return an answer whose head is good; its body is still to be read.

    Raises:
        LinkClosed, NotNow, WayCut: It is not, or there is none.
    """
    try:
        async with asyncio.timeout(CONNECT_S):
            answer = await client.send(request, stream=True)
            if not answer.is_success:
                await answer.aread()
                await answer.aclose()
                raise refusal(answer.status_code, answer.headers, answer.content)
            return answer
    except httpx.ConnectError as error:
        raise NotNow(LOST, f"no hub answers: {error!r}") from error
    except (httpx.TransportError, TimeoutError) as error:
        raise LinkClosed(LOST, f"no answer: {error!r}") from error


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give whole lines without their ends; what comes behind the last end is no line.

    Raises:
        LinkClosed: One is longer than ``LINE_MAX_BYTES``.
    """
    begun_line = bytearray()
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield bytes(begun_line) + part
            begun_line.clear()
        begun_line += rest
        if len(begun_line) > LINE_MAX_BYTES:
            raise LinkClosed(LOST, f"a line of more than {LINE_MAX_BYTES} bytes")


def query(wish: Subscribe) -> list[tuple[str, str | int | float | bool | None]]:
    """Return a subscription as parameters of a URL; a list repeats its name."""
    asked: list[tuple[str, str | int | float | bool | None]]
    asked = [("job", job) for job in wish.jobs]
    for name in ("status", "type", "creator", "node", "template", "parent"):
        asked += [(name, value) for value in getattr(wish.filter, name)]
    asked += [("label", f"{key}:{value}") for key, value in wish.filter.label.items()]
    # Said in any case, for a stream that is not told has other defaults than a socket.
    asked.append(("progress", "latest" if wish.progress is UNSET else wish.progress))
    asked.append(("snapshot", wish.snapshot))
    if wish.cursor is not None:
        asked.append(("cursor", wish.cursor))
    return asked


@asynccontextmanager
async def line_link(address: Address, wish: Subscribe) -> AsyncIterator[LineLink]:
    """Make ready to ask for a long answer.

    Raises:
        WayCut: Lines cannot tell what ``wish`` asks for.
    """
    if wish.topic == "workers":
        raise WayCut("the nodes are told on sockets only")
    async with address.client() as client:
        link = LineLink(client, address)
        try:
            yield link
        finally:
            await link.close(1000, "")
