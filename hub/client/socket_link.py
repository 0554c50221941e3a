"""The first way to a hub: its socket, ``ws /v1/stream``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from channels.protocol.codec import encode
from channels.protocol.codes import SUBPROTOCOL
from channels.protocol.frames import ClientFrame, Subscribe
from hub.client.address import CONNECT_S, Address
from hub.client.link import LINE_MAX_BYTES, LOST, LinkClosed, NotNow, WayCut, refusal

PATH = "/v1/stream"
CLOSE_S = 1.0
SEND_S = 15.0
REASON_MAX_BYTES = 123


class SocketLink:
    """An open socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.is_proven = False

    async def receive(self) -> str | bytes:
        """Return the next message."""
        try:
            message = await self._socket.recv()
        except ConnectionClosed as closed:
            raise _closed(closed) from closed
        self.is_proven = True
        return message

    async def send(self, frame: ClientFrame) -> None:
        """Send a message; a hub that does not take it is gone."""
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.send(encode(frame).decode())
        except ConnectionClosed as closed:
            raise _closed(closed) from closed
        except TimeoutError as error:
            raise LinkClosed(LOST, "the hub takes nothing") from error

    async def close(self, code: int, why: str) -> None:
        """Close with a code and a reason."""
        await self._socket.close(code, why.encode()[:REASON_MAX_BYTES].decode(errors="ignore"))


class _Connect(connect):
    """A handshake that stays where it is sent: a redirect would take the token elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow no redirect."""
        return exc


@asynccontextmanager
async def socket_link(address: Address, wish: Subscribe) -> AsyncIterator[SocketLink]:
    """Open a socket."""
    connection = _Connect(
        address.socket(PATH),
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        additional_headers=address.headers,
        compression=None,
        proxy=None if address.is_here else True,
        open_timeout=CONNECT_S,
        close_timeout=CLOSE_S,
        max_size=LINE_MAX_BYTES,
    )
    socket = await _opened(connection)
    async with socket:
        yield SocketLink(socket)


async def _opened(connection: connect) -> ClientConnection:
    try:
        socket = await connection
    except InvalidStatus as error:
        answer = error.response
        headers = httpx.Headers(list(answer.headers.raw_items()))
        raise refusal(answer.status_code, headers, bytes(answer.body or b"")) from error
    except (InvalidMessage, TimeoutError) as error:
        raise LinkClosed(LOST, f"no answer to the handshake: {error}") from error
    except InvalidHandshake as error:
        raise WayCut(str(error)) from error
    except OSError as error:
        raise NotNow(LOST, f"no hub answers: {error}") from error
    if socket.subprotocol != SUBPROTOCOL:
        await socket.close()
        raise WayCut(f"a socket that does not speak {SUBPROTOCOL}")
    return socket


def _closed(closed: ConnectionClosed) -> LinkClosed:
    if closed.rcvd is None:
        return LinkClosed(LOST, str(closed))
    return LinkClosed(closed.rcvd.code, closed.rcvd.reason or "closed by the hub")
