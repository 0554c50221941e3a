"""Every open socket: how many there are, and when they have to go."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hub.auth.tokens import Tokens
from hub.errors import HubError, Unavailable

log = logging.getLogger("hub.live")

EXPIRED = 4101
"""Close code: new credentials, then connect again."""

RESTARTING = 1012
"""Close code of a hub that stops: back off, connect again."""


class OpenSocket:
    """One socket's wish to go on; ``ended`` resolves with the code to close it with."""

    __slots__ = ("ended", "token")

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, code: int) -> None:
        """Ask the socket's owner to close it with ``code``; the first to ask decides."""
        if not self.ended.done():
            self.ended.set_result(code)


class Sockets:
    """All open sockets of this process."""

    def __init__(self, tokens: Tokens, most: int) -> None:
        self._tokens = tokens
        self._most = most
        self._open: set[OpenSocket] = set()
        self._is_draining = False
        self._all_closed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def entered(self, token: str | None) -> Iterator[OpenSocket]:
        """Count one more socket while it is open; ``token`` is what it was opened with.

        Raises:
            Unavailable: there are as many as there may be, or the hub is stopping.
        """
        if self._is_draining or len(self._open) >= self._most:
            raise Unavailable("no more sockets can be opened here now", retry_after_s=5)
        socket = OpenSocket(token)
        self._open.add(socket)
        try:
            yield socket
        finally:
            self._open.discard(socket)
            self._note_if_drained()

    async def check_tokens(self) -> None:
        """End the sockets whose token is no longer good; each token is looked up once."""
        by_token: dict[str, list[OpenSocket]] = {}
        for socket in self._open:
            if socket.token is not None:
                by_token.setdefault(socket.token, []).append(socket)
        for token, sockets in by_token.items():
            try:
                self._tokens.known(token) or await self._tokens.identify(token)
            except HubError as error:
                log.info("sockets ended count=%d code=%s", len(sockets), error.code)
                for socket in sockets:
                    socket.end(EXPIRED)

    def drain(self) -> None:
        """Ask every socket to close, and let no new one in: the hub stops."""
        self._is_draining = True
        self._note_if_drained()
        for socket in tuple(self._open):
            socket.end(RESTARTING)

    def _note_if_drained(self) -> None:
        if self._is_draining and not self._open:
            self._all_closed.set()

    async def drained(self, within_s: float) -> None:
        """Wait after ``drain`` until all sockets have closed, ``within_s`` seconds at the most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._all_closed.wait()
