"""Licences."""

from orm.queries.accounts import Source
from orm.queries.shelf import KeptRow, Shelf
from orm.tables import Licence


class LicenceRow(KeptRow, frozen=True):
    """A licence as it is stored: all but name and address are JSON texts, lists of names."""

    name: str
    url: str
    permissions: str
    conditions: str
    limitations: str
    domains: str


LICENCES = Shelf(Licence, LicenceRow)

_NAMED = f"SELECT {', '.join(LicenceRow.__struct_fields__)} FROM licences WHERE name = ?"


async def licence_named(source: Source, name: str) -> LicenceRow | None:
    """Return the licence of this name."""
    rows = await source.fetch(_NAMED, (name,))
    return LicenceRow(*rows[0]) if rows else None
