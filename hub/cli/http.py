"""uvicorn's HTTP protocol, with the limits it does not have: how long a head is, and takes.

It reaches into uvicorn, so that one's minor version is pinned.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hub.api.problems import MEDIA_TYPE, Problem
from hub.live.event_stream import ABORT

HEAD_MAX_BYTES = 65_536
"""Longest head of a request: its line and its headers."""

HEAD_S = 10.0
"""How long a connection that is owed no answer may take to send a whole head."""


def refusal(status: int, code: str, detail: str) -> bytes:
    """Return a whole answer to something that never became a request."""
    body = Problem(status, code, detail).body("/")
    head = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[status] + head.encode() + body


TOO_LONG = refusal(
    431, "head_too_long", f"the head of a request has at most {HEAD_MAX_BYTES} bytes"
)
NO_HTTP = refusal(400, "invalid_input", "this is no HTTP request")


class HeadTooLong(Exception):
    """The head of this request is longer than any honest one."""


class BoundedHttp(HttpToolsProtocol):
    """Cuts off who sends an endless head, or none.

    The parser keeps what it has not passed on: an unfinished head, but also the headers behind a
    body in chunks. So the bytes are counted since it last passed something on.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._kept_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._extensions: Any = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._extensions = {ABORT: transport.abort}
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; cut off what is too long, and let what begins have an end."""
        self._kept_bytes += len(data)
        super().data_received(data)
        if self not in self.connections:  # a WebSocket from here on
            return
        if self._kept_bytes > HEAD_MAX_BYTES:
            self._refuse()
        elif self._deadline is None and self._is_idle:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """Start the request.

        Raises:
            HeadTooLong: the whole head came at once, and is too long; uvicorn asks for a 400 then.
        """
        self._forget_deadline()
        # What came at once may be a body for the most part: only then the head itself is measured.
        if self._kept_bytes > HEAD_MAX_BYTES and self._head_bytes() > HEAD_MAX_BYTES:
            raise HeadTooLong
        self._kept_bytes = 0
        self.scope["extensions"] = self._extensions
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; what follows belongs to the next."""
        self._kept_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too long."""
        if self._kept_bytes > HEAD_MAX_BYTES:
            self._refuse()
        else:
            self.transport.write(NO_HTTP)
            self.transport.close()

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # it begins as None

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_S, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        if self._is_idle:
            self.transport.write(TOO_LONG)
            self.transport.close()
        else:  # another answer is on its way: nothing can be said any more
            self.transport.abort()
