"""What a path names is there, or the answer is 404."""

from typing import TypeVar

from hub.errors import NotFound

Row = TypeVar("Row")


def found(row: Row | None, kind: str, pk: int) -> Row:
    """Return ``row``, which was looked for under number ``pk``.

    Raises:
        NotFound: there is none.
    """
    if row is None:
        raise NotFound(f"there is no {kind} {pk}")
    return row
