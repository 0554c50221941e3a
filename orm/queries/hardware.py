"""Hardware generations."""

from orm.queries.shelf import KeptRow, Shelf
from orm.tables import Hardware


class HardwareRow(KeptRow, frozen=True):
    """A generation and its compute capabilities: the minimum is one of them, the maximum is not."""

    generation: str
    min_compute_capability: float
    max_compute_capability: float


HARDWARE = Shelf(Hardware, HardwareRow)
