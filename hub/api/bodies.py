"""Request bodies: JSON within the limits, decoded into what a route asks for."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from hub.api.problems import UnsupportedMediaType
from hub.auth.guard import one_header
from hub.errors import BodyTooLarge, InvalidInput

T = TypeVar("T")

JSON = b"application/json"

DEPTH_MAX = 64
"""How deep a JSON body may be nested; readers in other languages stop not far from there."""


async def raw_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the body of a JSON call; an empty one needs no content type.

    Read from ASGI itself: the framework's way builds an index of all headers first.

    Raises:
        BodyTooLarge: it is larger than its route allows.
        UnsupportedMediaType: it is sent as something else than JSON.
    """
    body = await _received(request, request.route_handler.resolve_request_max_body_size() or 0)
    if body:
        declared = one_header(request.scope["headers"], b"content-type") or JSON
        if declared != JSON and declared.partition(b";")[0].strip().lower() != JSON:
            raise UnsupportedMediaType
    return body


async def _received(request: Request[Any, Any, Any], most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("the body was cut off")
        size += len(message["body"])
        if size > most_bytes:
            raise BodyTooLarge(f"the body is larger than {most_bytes} bytes")
        chunks.append(message["body"])
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


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
    deepest = depth = 0
    in_text = is_escaped = False
    for byte in body:
        if in_text:
            in_text = is_escaped or byte != 0x22
            is_escaped = byte == 0x5C and not is_escaped
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


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
