"""The server's half of RFC 6455, as far as a watcher needs it: whole, unmasked frames."""

from typing import NamedTuple

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_FINAL = 0x80
_MASKED = 0x80


class Frame(NamedTuple):
    """One frame: the opcode, and what it carries."""

    opcode: int
    payload: bytes


def split(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the whole frames at the start of ``data``, and the bytes left of another.

    Raises:
        ValueError: a message in several frames, which a hub has no reason to send.
    """
    frames, start = [], 0
    while (bounds := _payload_bounds(data, start)) is not None:
        if not data[start] & _FINAL:
            raise ValueError("the server sent a message in several frames")
        frames.append(Frame(data[start] & 0x0F, data[bounds[0] : bounds[1]]))
        start = bounds[1]
    return frames, data[start:]


def _payload_bounds(data: bytes, start: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at ``start`` begins and ends, if all is there."""
    body = start + 2
    if len(data) < body:
        return None
    size = data[start + 1]
    if size > 125:
        width = 2 if size == 126 else 8
        size = int.from_bytes(data[body : body + width], "big")
        body += width
    return (body, body + size) if len(data) >= body + size else None


def text_frame(payload: bytes) -> bytes:
    """Return ``payload`` (below 64 KiB) as a server's frame."""
    size = len(payload)
    head = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes((_FINAL | TEXT,)) + head + payload


def masked(opcode: int, payload: bytes) -> bytes:
    """Return ``payload`` (below 64 KiB) as a client's frame, masked with zeros."""
    size = len(payload)
    head = bytes((_MASKED | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes((_FINAL | opcode,)) + head + bytes(4) + payload
