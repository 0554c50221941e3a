"""A connection as a follower sees it: frames of ``hub.v1`` go in and out.

There are three ways to a hub. The socket speaks ``hub.v1``; the others translate what an HTTP
answer tells to the same frames, so that one machine checks all of them.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import httpx
import msgspec

from channels.protocol.codes import Close
from channels.protocol.frames import ClientFrame, Subscribe
from hub.client.address import Address

LOST = 1006
"""The code of a connection that ended without one, or never began."""

LINE_MAX_BYTES = 16 * 2**20
"""The longest message that is taken from a hub."""

_NO_SUCH_WAY = frozenset({404, 405, 406, 426})
"""What a hub answers that does not have this kind of connection yet, or any more."""

_MEANINGS = {
    401: Close.UNAUTHENTICATED,
    403: Close.FORBIDDEN,
    429: Close.TOO_MANY,
    503: Close.OVERLOADED,
}


class LinkClosed(Exception):
    """The connection is over.

    Attributes:
        code: What it was closed with; the refusal of a hub counts as the close that says the same.
        retry_after_s: How long the hub asks to wait at least.
    """

    def __init__(self, code: int, why: str, retry_after_s: float = 0.0) -> None:
        self.code = code
        self.why = why
        self.retry_after_s = retry_after_s
        super().__init__(f"{why} ({code})")


class NotNow(LinkClosed):
    """Nobody answers, or the hub says no itself: this kind of connection is not to blame."""


class WayCut(Exception):
    """Something between here and the hub does not let this kind of connection through."""


class Link(Protocol):
    """An open connection. Only one task uses it."""

    is_proven: bool
    """Whether anything came that only a hub says."""

    async def receive(self) -> str | bytes:
        """Return the next frame. A call that is cancelled loses none.

        Raises:
            LinkClosed: There will be no more.
        """
        ...

    async def send(self, frame: ClientFrame) -> None:
        """Send a frame.

        Raises:
            LinkClosed: It cannot be sent any more.
        """
        ...

    async def close(self, code: int, why: str) -> None:
        """Close; takes a second at the most."""
        ...


Way = Callable[[Address, Subscribe], AbstractAsyncContextManager[Link]]
"""Opens a link to follow one selection.

Opening it raises ``LinkClosed`` if the hub refuses or cannot be reached, and ``WayCut`` if somebody
else is in the way.
"""


class _Problem(msgspec.Struct):
    code: str
    detail: str = ""


def refusal(status: int, headers: httpx.Headers, body: bytes) -> NotNow | WayCut:
    """Return what an answer that is no stream means: the hub explains itself, others do not."""
    code = _MEANINGS.get(status, LOST)
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        is_for_all = status in (401, 429, 502, 503, 504)
        return NotNow(code, f"HTTP {status}") if is_for_all else WayCut(f"HTTP {status}")
    if status in _NO_SUCH_WAY:
        return WayCut(f"{problem.detail} ({problem.code})")
    if 400 <= status < 500 and code == LOST:
        code = Close.BAD_MESSAGE
    return NotNow(code, f"{problem.detail} ({problem.code})", _seconds(headers))


def _seconds(headers: httpx.Headers) -> float:
    text = headers.get("retry-after", "")
    return min(float(text), 600.0) if text.isascii() and text.isdigit() else 0.0
