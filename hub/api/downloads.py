"""The bytes of an output as an answer: all of them or a range, streamed with constant memory."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from http import HTTPStatus
from typing import Any, Protocol

from litestar import Request, Response
from litestar.response.base import ASGIResponse

from hub.api.problems import MEDIA_TYPE as PROBLEM
from hub.api.problems import problem_of
from hub.outputs.disposition import attachment
from hub.outputs.errors import OutputBytesDamaged, OutputBytesMissing, RangeNotSatisfiable
from hub.outputs.ranges import (
    ByteRange,
    content_range,
    entity_tag,
    is_range_wanted,
    is_unchanged,
    parse_range,
)
from hub.outputs.store import OutputStore

log = logging.getLogger("hub.api")

MEDIA_TYPE = "application/data"


class Stored(Protocol):
    """A row that names bytes of the store: an output, or what stands beside outputs."""

    @property
    def pk(self) -> int:
        """Its number, for the log."""
        ...

    @property
    def sha256(self) -> str:
        """Their name."""
        ...

    @property
    def size(self) -> int:
        """Their number."""
        ...


# Whatever was uploaded, a browser must neither guess what it is nor run it as a page of the hub's
# own origin; and it asks again each time, for another attempt may have other bytes under this name.
HARMLESS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-cache",
}


async def answer_bytes(
    request: Request[Any, Any, Any], store: OutputStore, output: Stored, filename: str
) -> Response[bytes]:
    """Answer GET or HEAD with the bytes of ``output``, to be saved as ``filename``.

    304 when the client has them already, 206 or 416 when it asks for a part.

    Raises:
        OutputBytesMissing: the store does not have the bytes.
        OutputBytesDamaged: it has another number of them.
    """
    tag = entity_tag(output.sha256)
    headers = _headers(tag, filename)
    if is_unchanged(request.headers.get("if-none-match"), tag):
        return Response(b"", status_code=304, headers=headers)
    await _check_size(store, output)
    if request.method == "HEAD":
        headers["Content-Length"] = str(output.size)
        return Response(b"", status_code=200, media_type=MEDIA_TYPE, headers=headers)
    wanted = is_range_wanted(request.headers.get("if-range"), tag)
    try:
        part = parse_range(request.headers.get("range"), output.size) if wanted else None
    except RangeNotSatisfiable as error:
        return _unsatisfiable(request, output, error)
    return _streamed(store, output, part, headers)


async def answer_whole(store: OutputStore, output: Stored, filename: str) -> Response[bytes]:
    """Answer POST, for which HTTP knows neither ranges nor conditions; see ``answer_bytes``."""
    await _check_size(store, output)
    return _streamed(store, output, None, _headers(entity_tag(output.sha256), filename))


def _headers(tag: str, filename: str) -> dict[str, str]:
    own = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": attachment(filename),
    }
    return HARMLESS | own


async def _check_size(store: OutputStore, output: Stored) -> None:
    with _told(output):
        if await store.size(output.sha256) != output.size:
            raise OutputBytesDamaged


@contextmanager
def _told(output: Stored) -> Iterator[None]:
    """Log bytes that are lost or spoiled: somebody must hear of it, whatever the client does."""
    try:
        yield
    except (OutputBytesDamaged, OutputBytesMissing) as error:
        log.error("%s output=%d sha256=%s", error.code, output.pk, output.sha256)  # noqa: TRY400  # the code says all
        raise


def _streamed(
    store: OutputStore, output: Stored, part: ByteRange | None, headers: dict[str, str]
) -> Response[bytes]:
    if part is None:
        length = output.size
        chunks = store.read(output.sha256)
    else:
        length = part.end - part.start
        chunks = store.read(output.sha256, start=part.start, end=part.end)
        headers["Content-Range"] = content_range(part, output.size)
    headers["Content-Length"] = str(length)
    status = HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT
    return Download(output, chunks, status, headers)


def _unsatisfiable(
    request: Request[Any, Any, Any], output: Stored, error: RangeNotSatisfiable
) -> Response[bytes]:
    return Response(
        problem_of(error).body(request.scope["path"]),
        status_code=416,
        media_type=PROBLEM,
        headers={"Content-Range": content_range(None, output.size), "Accept-Ranges": "bytes"},
    )


class Download(Response[bytes]):
    """An answer that reads ``chunks`` while it is sent, and closes them whatever happens."""

    def __init__(
        self,
        output: Stored,
        chunks: AsyncGenerator[bytes, None],
        status_code: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(b"", status_code=status_code, media_type=MEDIA_TYPE, headers=headers)
        self._output = output
        self._chunks = chunks

    def to_asgi_response(self, app: Any, request: Any, **_: Any) -> ASGIResponse:
        """Return what sends the answer; what the layers above could add is not used here."""
        del app, request
        return _Sending(self._output, self._chunks, self.status_code, self.headers)


class _Sending(ASGIResponse):
    """Sends a download over ASGI.

    Litestar's own stream neither closes what it reads from nor looks at it before it begins.
    """

    __slots__ = ("_chunks", "_output")

    def __init__(
        self,
        output: Stored,
        chunks: AsyncGenerator[bytes, None],
        status_code: int | None,
        headers: dict[str, Any],
    ) -> None:
        super().__init__(status_code=status_code, media_type=MEDIA_TYPE, headers=headers)
        self._output = output
        self._chunks = chunks

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the head and the bytes; stop reading when the client goes away."""
        del scope
        async with aclosing(self._chunks) as chunks:
            with _told(self._output):
                # Before the head is sent, bytes that are gone or spoiled can still become an error.
                first = await anext(chunks, b"")
                await self.start_response(send)
                await _send_body(first, chunks, receive, send)


async def _send_body(
    chunk: bytes, chunks: AsyncGenerator[bytes, None], receive: Any, send: Any
) -> None:
    gone = asyncio.create_task(_disconnected(receive))
    try:
        while chunk and not gone.done():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await anext(chunks, b"")
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _disconnected(receive: Any) -> None:
    """Return when the client is gone; sending to nobody raises nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass
