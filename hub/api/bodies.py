"""Request bodies: JSON within the limits, decoded into what a route asks for."""

import asyncio
from array import array
from itertools import accumulate
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from hub.api.problems import UnsupportedMediaType
from hub.auth.doors import one_header
from hub.errors import BodyTooLarge, InvalidInput

T = TypeVar("T")

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
FIELDS_MAX = 16

CUT_OFF = "the body was cut off"

DEPTH_MAX = 64
"""How deep a JSON body may be nested; readers in other languages stop not far from there."""

PAUSE_MAX_S = 30.0
"""The longest time between two pieces of a body, in seconds."""

_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # up, up, down, down: 1 and -1
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


async def raw_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the body of a JSON call; an empty one needs no content type.

    Read from ASGI itself: the framework's way builds an index of all headers first.

    Raises:
        BodyTooLarge: it is larger than its route allows.
        InvalidInput: the caller hung up, or paused for ``PAUSE_MAX_S``, before its end.
        UnsupportedMediaType: it is sent as something else than JSON.
    """
    body = await _received(request, request.route_handler.resolve_request_max_body_size() or 0)
    if body:
        declared = one_header(request.scope["headers"], b"content-type") or JSON
        if declared != JSON and declared.partition(b";")[0].strip().lower() != JSON:
            raise UnsupportedMediaType
    return body


async def form(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the fields of an HTML form; of fields of one name the last.

    Raises:
        BodyTooLarge: it is larger than its route allows.
        InvalidInput: it was cut off, is no form, or has more fields than any form here.
        UnsupportedMediaType: it is sent as something else.
    """
    body = await _received(request, request.route_handler.resolve_request_max_body_size() or 0)
    declared = one_header(request.scope["headers"], b"content-type") or b""
    if declared.partition(b";")[0].strip().lower() != FORM:
        raise UnsupportedMediaType(f"send the form as {FORM.decode()}")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise InvalidInput("this is no form") from error
    return dict(pairs)


async def _received(request: Request[Any, Any, Any], most_bytes: int) -> bytes:
    piece, is_last = await _piece(request)
    pieces, size = [piece], len(piece)
    while not is_last and size <= most_bytes:
        try:
            async with asyncio.timeout(PAUSE_MAX_S):
                piece, is_last = await _piece(request)
        except TimeoutError as error:
            raise InvalidInput(CUT_OFF) from error
        pieces.append(piece)
        size += len(piece)
    if size > most_bytes:
        raise BodyTooLarge(f"the body is larger than {most_bytes} bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _piece(request: Request[Any, Any, Any]) -> tuple[bytes, bool]:
    """Return the next piece of the body, and whether it is the last."""
    message: Any = await request.receive()
    if message["type"] == "http.disconnect":
        raise InvalidInput(CUT_OFF)
    return message["body"], not message.get("more_body", False)


async def read(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """Return the body as ``kind``; an empty one counts as ``{}``.

    Raises:
        InvalidInput: broken JSON, a wrong type, an unknown member, a missing one: said by member.
    """
    body = await raw_body(request) or b"{}"
    return parse(body, kind)


def parse(body: bytes, kind: type[T]) -> T:
    """Return JSON text as ``kind``; see ``read``."""
    check_shape(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _by_member(error) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"JSON parse error - {error}") from error


async def read_object(request: Request[Any, Any, Any]) -> str:
    """Return the text of a body that must be a JSON object, as it came; no body is ``{}``.

    Raises:
        InvalidInput: it is no JSON object, or one that other readers could not take.
    """
    body = await raw_body(request)
    if not body:
        return "{}"
    parse(body, dict[str, Any])
    return body.decode()


def check_shape(body: bytes) -> None:
    """Refuse JSON that is nested deeper than ``DEPTH_MAX``.

    Raises:
        InvalidInput: it is.
    """
    # Most bodies have fewer brackets than the limit, and counting them is far cheaper than a walk.
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX and _depth(body) > DEPTH_MAX:
        raise InvalidInput(f"the JSON is nested deeper than {DEPTH_MAX} levels")


def _depth(body: bytes) -> int:
    """Return how deep brackets outside of texts are nested, without a loop over the bytes here."""
    # Without escaped quotes every second part between quotes stands outside of the texts.
    parts = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    steps = b"".join(parts).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(array("b", steps)), default=0)


def _by_member(error: msgspec.ValidationError) -> InvalidInput:
    """Say which member is wrong, the way existing clients list it."""
    text = str(error)
    message, _, path = text.replace("at `key` in `$", "at `$").partition(" - at `$")
    name = path.rstrip("`").lstrip(".").partition(".")[0].partition("[")[0]
    if message.startswith("Object missing required field `"):
        name = message.split("`")[1]
        message = "This field is required."
    elif message.startswith("Object contains unknown field `"):
        name = message.split("`")[1]
        message = "Unknown field."
    return InvalidInput(text, fields={name or "non_field_errors": [message]})


def storable(text: str, member: str) -> str:
    """Return ``text`` if both databases can store it.

    Raises:
        InvalidInput: it holds a NUL character.
    """
    if "\0" in text:
        raise InvalidInput(
            f"{member} holds a NUL character", fields={member: ["Null characters are not allowed."]}
        )
    return text
