"""Hardware generations."""

import msgspec

from orm.queries.shelf import Shelf
from orm.tables import Hardware


class HardwareRow(msgspec.Struct, frozen=True):
    """A generation and its compute capabilities: the minimum is one of them, the maximum is not."""

    pk: int
    generation: str
    min_compute_capability: float
    max_compute_capability: float


HARDWARE = Shelf(Hardware, HardwareRow)
