"""CUDA versions."""

from orm.queries.shelf import KeptRow, Shelf
from orm.tables import CudaVersion


class CudaRow(KeptRow, frozen=True):
    """A version (``11.1``), its full name, and the oldest driver with which it runs."""

    version: str
    full_version: str
    min_driver_version: str


CUDA = Shelf(CudaVersion, CudaRow)
