"""What jobs are asked to tell, and the addresses of those they are told to."""

from collections.abc import Collection, Iterator

import msgspec

from orm.engine import Engine
from orm.queries.batch import marks

AT_ONCE = 64
"""Numbers in one question: always as many, since each length would be a statement to prepare."""

_SOME = f"({marks(AT_ONCE)})"
_WISHES = (
    "SELECT s.pk, s.notifications, j.creator, j.parent "
    f"FROM job_specs s JOIN jobs j ON j.pk = s.pk WHERE s.pk IN {_SOME}"
)
_ADDRESSES = f"SELECT pk, email FROM users WHERE disabled_us IS NULL AND pk IN {_SOME}"


class WishRow(msgspec.Struct, frozen=True, gc=False):
    """What a job is asked to tell (``None``: the defaults), and whose it is; never changes."""

    pk: int
    notifications: str | None
    creator: int | None
    parent: int | None


async def wishes(engine: Engine, pks: Collection[int]) -> list[WishRow]:
    """Return what jobs are asked to tell, in any order; those that are gone are left out."""
    found: list[WishRow] = []
    for some in _padded(pks):
        found += [WishRow(*row) for row in await engine.fetch(_WISHES, some)]
    return found


async def addresses(engine: Engine, pks: Collection[int]) -> dict[int, str]:
    """Return the e-mail addresses of accounts, blank where none is known; not of disabled ones."""
    found: dict[int, str] = {}
    for some in _padded(pks):
        found |= dict(await engine.fetch(_ADDRESSES, some))
    return found


def _padded(pks: Collection[int]) -> Iterator[tuple[int, ...]]:
    wanted = sorted(pks)
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        yield (*some, *[0] * (AT_ONCE - len(some)))  # no row has the number 0
