"""Every open socket: how many there are, and when they have to go."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from channels.protocol.codes import Close
from hub.auth.doors import Admission, Credential, Doors
from hub.errors import HubError, Kind, Unavailable

log = logging.getLogger("hub.live")

EXPIRED = Close.UNAUTHENTICATED.value
FORBIDDEN = Close.FORBIDDEN.value
RESTARTING = Close.RESTARTING.value


PAUSE_S = 0.002
"""Between two sockets that are asked to close in a stop: what comes back comes somewhere else."""


class OpenSocket:
    """One socket's wish to go on; ``ended`` resolves with the code to close it with.

    Attributes:
        admission: By what it may: renewed as often as its rights are looked at, and by whoever
            takes new credentials from it. ``None`` while nobody said who they are.
    """

    __slots__ = ("admission", "ended")

    def __init__(self, admission: Admission | None) -> None:
        self.admission = admission
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def end(self, code: int) -> None:
        """Ask the socket's owner to close it with ``code``; the first to ask decides."""
        if not self.ended.done():
            self.ended.set_result(code)


class Sockets:
    """All open sockets of this process."""

    def __init__(self, doors: Doors, most: int) -> None:
        self._doors = doors
        self._most = most
        self._open: set[OpenSocket] = set()
        self._is_draining = False
        self._all_closed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def entered(self, admission: Admission | None) -> Iterator[OpenSocket]:
        """Count one more socket while it is open; ``admission`` is by what it was opened.

        Raises:
            Unavailable: there are as many as there may be, or the hub is stopping.
        """
        if self._is_draining or len(self._open) >= self._most:
            raise Unavailable("no more sockets can be opened here now", retry_after_s=5)
        socket = OpenSocket(admission)
        self._open.add(socket)
        try:
            yield socket
        finally:
            self._open.discard(socket)
            self._note_if_drained()

    async def check_rights(self) -> None:
        """End the sockets whose token, session, account or right has ended.

        What many were opened with is looked up once.
        """
        alike: dict[tuple[Credential, str], list[OpenSocket]] = {}
        for socket in self._open:
            admission = socket.admission
            if admission is not None and admission.credential is not None:
                alike.setdefault((admission.credential, admission.action), []).append(socket)
        for (credential, action), sockets in alike.items():
            try:
                identity = await self._doors.still(credential, action)
            except HubError as error:
                log.info("sockets ended count=%d code=%s", len(sockets), error.code)
                for socket in sockets:
                    socket.end(FORBIDDEN if error.kind == Kind.FORBIDDEN else EXPIRED)
            else:
                _renew(sockets, Admission(identity, credential, action))

    def drain(self, within_s: float) -> None:
        """Ask every socket to close, and let no new one in: the hub stops.

        They are asked one after the other, so that their owners do not all come back at once.

        Args:
            within_s: All of them are asked in this time.
        """
        self._is_draining = True
        self._note_if_drained()
        loop = asyncio.get_running_loop()
        pause_s = min(PAUSE_S, within_s / max(1, len(self._open)))
        for index, socket in enumerate(self._open):
            loop.call_later(index * pause_s, socket.end, RESTARTING)

    def _note_if_drained(self) -> None:
        if self._is_draining and not self._open:
            self._all_closed.set()

    async def drained(self, within_s: float) -> None:
        """Wait after ``drain`` until all sockets have closed, ``within_s`` seconds at the most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._all_closed.wait()


def _renew(sockets: list[OpenSocket], admission: Admission) -> None:
    for socket in sockets:
        # It may have taken other credentials while these were looked up.
        if socket.admission is not None and socket.admission.credential == admission.credential:
            socket.admission = admission
