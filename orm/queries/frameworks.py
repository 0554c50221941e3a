"""Frameworks that models are made with."""

from orm.queries.shelf import KeptRow, Shelf
from orm.tables import Framework


class FrameworkRow(KeptRow, frozen=True):
    """A framework in one of its versions; both together are unique."""

    name: str
    version: str


FRAMEWORKS = Shelf(Framework, FrameworkRow)
