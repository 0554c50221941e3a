"""Pages of the audit."""

import msgspec

from orm.engine import Engine


class AuditRow(msgspec.Struct, frozen=True):
    """One privileged act as it is stored; the field order is the order of its columns."""

    pk: int
    time_us: int
    actor: int | None
    session: str | None
    address: str | None
    action: str
    object_type: str
    object_pk: int | None
    before: str | None
    after: str | None
    hash: str


_PAGE = (
    f"SELECT {', '.join(AuditRow.__struct_fields__)} FROM audit WHERE pk > ? ORDER BY pk LIMIT ?"
)


async def page(engine: Engine, after: int, limit: int) -> list[AuditRow]:
    """Return up to ``limit`` rows behind number ``after``, oldest first."""
    return [AuditRow(*row) for row in await engine.fetch(_PAGE, (after, limit))]
