"""What an upload says of itself, and its body as it comes."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

from hub.api.jobs import AnyRequest
from hub.errors import BodyTooLarge, InvalidInput
from hub.settings import Settings

NAME_MAX = 200
TYPE_MAX = 1_024
# One entry of a PostgreSQL index, and these two are in one, has room for 2,704 bytes in all.
BOTH_MAX_BYTES = 2_500
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

PAUSE_MAX_S = 300.0
"""An upload of which no byte comes for so long is given up."""


class UploadCut(InvalidInput):
    """The upload ended before its body did; nothing of it is kept."""

    code = "upload_cut"


def check_key(name: str, type_text: str) -> None:
    """Refuse a name or a type that no output can have.

    Raises:
        InvalidInput: a length, or a control character.
    """
    if name in (".", ".."):
        _refuse("name", "A path segment of dots cannot be asked for.")
    for member, text, longest in (("name", name, NAME_MAX), ("type", type_text, TYPE_MAX)):
        if len(text) > longest:
            _refuse(member, f"Ensure this field has no more than {longest} characters.")
        if CONTROL.search(text):
            _refuse(member, "Control characters are not allowed.")
    if len(name.encode()) + len(type_text.encode()) > BOTH_MAX_BYTES:
        _refuse("type", f"Name and type together have at most {BOTH_MAX_BYTES} bytes in UTF-8.")


def _refuse(member: str, problem: str) -> None:
    raise InvalidInput(f"the {member} of an output: {problem}", fields={member: [problem]})


def limit_of(request: AnyRequest, settings: Settings) -> int | None:
    """Return the most bytes that may come, ``None`` for any number.

    Raises:
        BodyTooLarge: the body says itself that it is larger.
    """
    limit = settings.max_output_bytes or None
    announced = request.content_length
    if limit is not None and announced is not None and announced > limit:
        raise BodyTooLarge(f"The body is larger than {limit} bytes.")
    return limit


def nobody() -> None:
    """Hear of no node: no holder uploads."""


async def body_of(
    request: AnyRequest, heard: Callable[[], None] = nobody
) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes, and call ``heard`` for each piece.

    Litestar's stream takes a client that goes away for a fault of the server, and waits for ever.

    Raises:
        UploadCut: the body is not complete, and the rest will not come.
    """
    has_more = True
    while has_more:
        message = await _next_message(request)
        if message["type"] == "http.disconnect":
            raise UploadCut
        heard()
        yield message.get("body", b"")
        has_more = message.get("more_body", False)


async def _next_message(request: AnyRequest) -> Any:
    try:
        async with asyncio.timeout(PAUSE_MAX_S):
            return await request.receive()
    except TimeoutError as error:
        raise UploadCut(f"nothing came for {PAUSE_MAX_S:.0f} seconds") from error
