"""Frames to JSON and back. A client's messages are read strictly, the hub's with tolerance.

A hub refuses what it does not know, so that a slip of the pen is not taken for consent. A client
passes over what a later hub may add: members, and whole kinds of messages.
"""

from typing import get_args

import msgspec

from channels.protocol.frames import (
    MESSAGE_MAX_BYTES,
    ClientFrame,
    Notice,
    Said,
    ServerFrame,
    Told,
)

DETAIL_MAX = 200
"""Longest detail of a ``BadMessage``, in characters: it may repeat what the peer sent."""


class BadMessage(ValueError):
    """This is no message of ``hub.v1``; ``detail`` names the member that is wrong."""

    def __init__(self, detail: str) -> None:
        self.detail = detail if len(detail) <= DETAIL_MAX else detail[: DETAIL_MAX - 1] + "…"
        super().__init__(self.detail)


class _Kind(msgspec.Struct):
    op: str


_said: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)
_told: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_kind = msgspec.json.Decoder(_Kind)
_encoder = msgspec.json.Encoder()

_TOLD_OPS = frozenset(frame.__struct_config__.tag for frame in get_args(Told))


def encode(frame: ClientFrame | ServerFrame) -> bytes:
    """Return the JSON of a frame, UTF-8."""
    return _encoder.encode(frame)


def decode_said(message: str | bytes) -> Said:
    """Read what a client sent; ``bytes`` are a binary message.

    Raises:
        BadMessage: It is too long, binary, no JSON, or not exactly one of the messages.
    """
    if isinstance(message, bytes):
        raise BadMessage("messages are text, not binary")
    # A character has a byte at the least, so that what is far too long is not even encoded.
    if len(message) > MESSAGE_MAX_BYTES or len(message.encode()) > MESSAGE_MAX_BYTES:
        raise BadMessage(f"a message has at most {MESSAGE_MAX_BYTES} bytes")
    try:
        return _said.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadMessage(str(error)) from error


def decode_told(message: str | bytes) -> Told | None:
    """Read what a hub sent; ``None`` for what only a later version knows.

    Raises:
        BadMessage: It is no JSON object with ``op``, or a known message with wrong members.
    """
    try:
        return _told.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError) and _may_be_passed_over(message):
            return None
        raise BadMessage(str(error)) from error


def _may_be_passed_over(message: str | bytes) -> bool:
    """Whether nothing depends on this message: one of an unknown kind, or a new notice."""
    try:
        op = _kind.decode(message).op
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return op not in _TOLD_OPS or op == Notice.__struct_config__.tag
