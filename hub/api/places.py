"""Where the next page of a list begins, as a text that nobody but this hub needs to read."""

import base64
import binascii
from typing import Annotated

import msgspec

from hub.auth.guard import LARGEST
from hub.errors import InvalidInput

Key = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Keys = tuple[int, ...]


def cursor_of(order: str, keys: Keys) -> str:
    """Return the cursor of the row with ``keys``, the last one of its page in ``order``."""
    return base64.urlsafe_b64encode(msgspec.json.encode((order, keys))).decode().rstrip("=")


def keys_of(order: str, count: int, cursor: str | None) -> Keys | None:
    """Return the keys of the row before a page, which a cursor names; ``None``: the first page.

    Args:
        order: What the cursor must have been made for.
        count: How many keys there are in that order.
        cursor: What somebody sent.

    Raises:
        InvalidInput: the cursor is none, or one of another list.
    """
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        made_for, keys = msgspec.json.decode(raw, type=tuple[str, tuple[Key, ...]])
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _bad_cursor("not a cursor of this list") from error
    if made_for != order or len(keys) != count:
        raise _bad_cursor("this cursor belongs to another order")
    return keys


def _bad_cursor(text: str) -> InvalidInput:
    return InvalidInput(text, fields={"cursor": [text]})
