"""The names of objects that types of the language stand for."""

from collections.abc import Sequence

from orm.engine import Engine
from orm.queries.batch import marks

_NAMES = {
    "Domain": ("description", "domains"),
    "Hardware": ("generation", "hardware"),
    "CUDAVersion": ("full_version", "cuda_versions"),
    "DockerImage": ("name || ' v' || version", "docker_images"),
}
"""Type -> the name of one of its objects, and where the objects are."""


async def names(engine: Engine, family: str, pks: Sequence[int]) -> list[str]:
    """Return the names of objects ``pks`` of a type, in the order of ``pks``.

    Those that are not there are left out; objects of a type without names have none.
    """
    if not pks or family not in _NAMES:
        return []
    name, table = _NAMES[family]
    sql = f"SELECT pk, {name} FROM {table} WHERE pk IN ({marks(len(pks))})"
    found: dict[int, str] = dict(await engine.fetch(sql, tuple(pks)))
    return [found[pk] for pk in pks if pk in found]
