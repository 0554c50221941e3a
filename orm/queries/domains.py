"""Domains: the kinds of data that there are."""

from orm.queries.accounts import Source
from orm.queries.shelf import KeptRow, Shelf
from orm.tables import Domain


class DomainRow(KeptRow, frozen=True):
    """A domain: two letters, and what they stand for; each is unique."""

    name: str
    description: str


DOMAINS = Shelf(Domain, DomainRow)


async def domain_named(source: Source, name: str) -> DomainRow | None:
    """Return the domain of these two letters."""
    rows = await source.fetch("SELECT pk, name, description FROM domains WHERE name = ?", (name,))
    return DomainRow(*rows[0]) if rows else None
