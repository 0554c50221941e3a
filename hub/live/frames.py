"""Text frames of the WebSocket protocol as a server sends them: unmasked, so one serves all."""

import struct

TEXT = 0x81
"""First byte of a text frame that is a whole message (RFC 6455, 5.2)."""

SHORT, MIDDLE, LONG = 125, 126, 127
"""Lengths up to 125 stand in the second byte; 126 says that two more bytes hold it, 127 eight."""


def text_frame(payload: bytes) -> bytes:
    """Return the frame that carries ``payload``, UTF-8 text, as one message."""
    size = len(payload)
    if size <= SHORT:
        head = struct.pack("!BB", TEXT, size)
    elif size < 2**16:
        head = struct.pack("!BBH", TEXT, MIDDLE, size)
    else:
        head = struct.pack("!BBQ", TEXT, LONG, size)
    return head + payload


def payload_of(frame: bytes) -> bytes:
    """Return what ``text_frame`` was given."""
    return frame[{MIDDLE: 4, LONG: 10}.get(frame[1], 2) :]
