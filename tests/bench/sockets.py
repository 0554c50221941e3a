"""A client's end of a WebSocket: the handshake, whole frames in, pings answered."""

import asyncio
from typing import cast

from tests.bench import frames
from tests.bench.client import Refused

_NORMAL = (1000).to_bytes(2, "big")


class Socket(asyncio.Protocol):
    """One socket; what a subclass does with arriving bytes is in ``data_received``.

    ``accepted`` resolves with the handshake, or raises `Refused`.
    """

    transport: asyncio.WriteTransport

    def __init__(self) -> None:
        self._rest = b""
        self._reason = ""
        self._is_leaving = False
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    @property
    def is_between_frames(self) -> bool:
        """Whether what arrives next begins a frame."""
        return self.accepted.done() and not self._rest

    def frames_in(self, data: bytes) -> list[frames.Frame]:
        """Return the frames that ``data`` completes; those that want an answer have got it."""
        whole = self._rest + data
        if not self.accepted.done():
            whole = self._shake_hands(whole)
        if not self.accepted.done():
            self._rest = whole
            return []
        arrived, self._rest = frames.split(whole)
        for frame in arrived:
            if frame.opcode != frames.TEXT:
                self._obey(frame)
        return arrived

    def _shake_hands(self, received: bytes) -> bytes:
        head, end, rest = received.partition(b"\r\n\r\n")
        if not end:
            return received
        if head[9:12] == b"101":
            self.accepted.set_result(None)
        else:
            self.accepted.set_exception(Refused(f"no socket: {received[:1000].decode()}"))
        return rest

    def _obey(self, frame: frames.Frame) -> None:
        opcode, payload = frame
        if opcode == frames.PING:
            self.transport.write(frames.masked(frames.PONG, payload))
        elif opcode == frames.CLOSE and not self._is_leaving:
            self._reason = f"{int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}"
            self.transport.write(frames.masked(frames.CLOSE, payload))

    def leave(self) -> None:
        """Say goodbye, as clients do that have heard enough; the server then hangs up."""
        self._is_leaving = True
        self.transport.write(frames.masked(frames.CLOSE, _NORMAL))

    def connection_lost(self, error: Exception | None) -> None:
        reason = self._reason or f"no close frame ({error})"
        if not self.accepted.done():
            self.accepted.set_exception(Refused(f"no socket: {reason}"))
        self.lost(reason)

    def lost(self, reason: str) -> None:
        """Take the end of the connection, whoever asked for it."""
        raise NotImplementedError


def handshake(path: str, token: str, *, subprotocol: str = "") -> bytes:
    """Return the request for a socket; a constant key will do where no cache is in between."""
    lines = [
        f"GET {path} HTTP/1.1",
        "host: bench",
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
        f"authorization: Bearer {token}",
        *([f"sec-websocket-protocol: {subprotocol}"] if subprotocol else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode()
