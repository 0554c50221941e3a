"""Docker images, with what they refer to."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from orm.engine import Engine
from orm.queries.batch import in_order, marks
from orm.queries.cuda import CudaRow
from orm.queries.domains import DomainRow
from orm.queries.frameworks import FrameworkRow
from orm.queries.hardware import HardwareRow
from orm.queries.licences import LicenceRow
from orm.queries.shelf import KeptRow, Row, Shelf
from orm.tables import DockerImage


class DockerRow(KeptRow, frozen=True):
    """An image as it is stored: references are numbers, ``tasks`` is a JSON text."""

    name: str
    version: str
    url: str
    registry_url: str
    registry_username: str | None
    registry_password: str | None
    cuda_version: int
    framework: int
    domain: int
    tasks: str
    min_hardware_generation: int | None
    cpu: int
    licence: int


DOCKER_IMAGES = Shelf(DockerImage, DockerRow)


class FullImage(msgspec.Struct, frozen=True):
    """An image and the rows that it refers to, as they were at one moment."""

    row: DockerRow
    cuda_version: CudaRow
    framework: FrameworkRow
    domain: DomainRow
    licence: LicenceRow
    min_hardware_generation: HardwareRow | None

    @property
    def pk(self) -> int:
        """The number of the image."""
        return self.row.pk


_PARTS: dict[str, type[KeptRow]] = {
    "i": DockerRow,
    "c": CudaRow,
    "f": FrameworkRow,
    "d": DomainRow,
    "l": LicenceRow,
    "h": HardwareRow,
}
_COLUMNS = ", ".join(f"{t}.{name}" for t, row in _PARTS.items() for name in row.__struct_fields__)
_FULL = f"""SELECT {_COLUMNS} FROM docker_images i
JOIN cuda_versions c ON c.pk = i.cuda_version JOIN frameworks f ON f.pk = i.framework
JOIN domains d ON d.pk = i.domain JOIN licences l ON l.pk = i.licence
LEFT JOIN hardware h ON h.pk = i.min_hardware_generation"""


async def images(engine: Engine, pks: Sequence[int]) -> list[FullImage]:
    """Return images ``pks`` in the order of ``pks``; those that are not there are left out."""
    if not pks:
        return []
    found = await engine.fetch(f"{_FULL} WHERE i.pk IN ({marks(len(pks))})", tuple(pks))
    return in_order(pks, [_full(values) for values in found])


def _full(values: Sequence[Any]) -> FullImage:
    left = iter(values)
    return FullImage(
        row=_next_row(DockerRow, left),
        cuda_version=_next_row(CudaRow, left),
        framework=_next_row(FrameworkRow, left),
        domain=_next_row(DomainRow, left),
        licence=_next_row(LicenceRow, left),
        min_hardware_generation=None if values[-1] is None else _next_row(HardwareRow, left),
    )


def _next_row(kind: type[Row], values: Iterator[Any]) -> Row:
    return kind(*islice(values, len(kind.__struct_fields__)))


_KEYS = {
    "cuda_version": ("cuda_versions", "version"),
    "framework": ("frameworks", "pk"),
    "domain": ("domains", "name"),
    "min_hardware_generation": ("hardware", "generation"),
    "licence": ("licences", "name"),
}
"""Member -> the table that it refers to, and the column by which it does."""


def key_of(member: str) -> str:
    """Return what a member refers by."""
    return _KEYS[member][1]


async def referred(engine: Engine, member: str, value: str | int) -> int | None:
    """Return the number of what a member refers to by ``value``, ``None`` when it is not there."""
    table, column = _KEYS[member]
    rows = await engine.fetch(f"SELECT pk FROM {table} WHERE {column} = ?", (value,))
    return rows[0][0] if rows else None
