"""A keep-alive HTTP/1.1 client that costs a fraction of the servers it measures.

It understands what a JSON service on uvicorn sends: a status line, headers, and the body, whole or
in chunks. One request is in flight on a connection at any time.
"""

import asyncio
from typing import NamedTuple, TypeVar, cast

import msgspec

_BLANK_LINE = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


class Refused(Exception):
    """The server answered with something else than success, or hung up."""


def encode(
    method: str, path: str, *, token: str = "", node: int | None = None, body: object = None
) -> bytes:
    """Return the bytes of a request; ``body`` is sent as JSON unless it is ``None``."""
    lines = [f"{method} {path} HTTP/1.1", "host: bench"]
    if token:
        lines.append(f"authorization: Bearer {token}")
    if node is not None:
        lines.append(f"node-id: {node}")
    content = b""
    if body is not None:
        content = msgspec.json.encode(body)
        lines.append("content-type: application/json")
    if method != "GET":
        lines.append(f"content-length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def content_length(head: bytes) -> int:
    """Return the size of the body that follows ``head``, in bytes.

    Raises:
        Refused: a status with a body, but no Content-Length.
    """
    start = head.find(b"content-length:")
    if start < 0:
        start = head.lower().find(b"content-length:")
    if start >= 0:
        stop = head.find(b"\r", start)
        return int(head[start + 15 : stop if stop >= 0 else len(head)])
    if head[9:12] in (b"204", b"304"):
        return 0
    raise Refused(f"an answer without Content-Length: {head[:200]!r}")


def body_of(answer: bytes, end: int) -> bytes | None:
    """Return the body behind a head of ``end`` bytes, ``None`` while not all of it is there.

    Raises:
        Refused: the head does not say where the body ends.
    """
    start = end + len(_BLANK_LINE)
    if b"chunked" in answer[:end]:
        return _joined_chunks(answer, start) if answer.endswith(_LAST_CHUNK) else None
    stop = start + content_length(answer[:end])
    return answer[start:stop] if len(answer) >= stop else None


def _joined_chunks(answer: bytes, start: int) -> bytes | None:
    chunks: list[bytes] = []
    while (line := answer.find(b"\r\n", start)) >= 0:
        size = int(answer[start:line], 16)
        if not size:
            return b"".join(chunks)
        chunks.append(answer[line + 2 : line + 2 + size])
        start = line + 2 + size + 2
    return None


class HttpConnection(asyncio.Protocol):
    """One connection; what a subclass does with an answer is in `answered` and `failed`."""

    transport: asyncio.WriteTransport

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        end = data.find(_BLANK_LINE)
        try:
            body = body_of(data, end) if end >= 0 else None
        except Refused as error:
            self.failed(error)
            return
        if body is None:
            self._received = data
            return
        self._received = b""
        status = data[9:12]
        if status[:1] == b"2":
            self.answered(body)
        else:
            self.failed(Refused(f"{status.decode()} {body[:500].decode()}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.failed(Refused(f"the server hung up ({error})"))

    def answered(self, body: bytes) -> None:
        """Take the body of a 2xx answer."""
        raise NotImplementedError

    def failed(self, error: Refused) -> None:
        """Take any other answer, or the end of the connection (after which no answer comes)."""
        raise NotImplementedError


class Caller(HttpConnection):
    """A connection for coroutines: one call at a time, awaited."""

    def __init__(self) -> None:
        super().__init__()
        self._answer: asyncio.Future[bytes] | None = None

    async def call(self, request: bytes) -> bytes:
        """Send ``request`` and return the body of the answer.

        Raises:
            Refused: the answer was no 2xx, or never came.
        """
        if self.transport.is_closing():
            raise Refused("the server has hung up")
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def answered(self, body: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(body)

    def failed(self, error: Refused) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


Connection = TypeVar("Connection", bound=asyncio.Protocol)


async def dial(address: Address, connection: Connection) -> Connection:
    """Connect ``connection`` and return it."""
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: connection, address.host, address.port)
    return connection
