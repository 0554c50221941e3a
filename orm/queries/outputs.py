"""Outputs: one by number or by name, many for a list, and which stored bytes nothing names."""

from collections.abc import Sequence

from orm.engine import Engine
from orm.queries.batch import OUTPUT_COLUMNS, OUTPUTS, in_order, marks
from orm.rows import OutputRow

_VISIBLE = (
    f"SELECT {', '.join(f'o.{name}' for name in OUTPUT_COLUMNS)} FROM outputs o "
    "JOIN jobs j ON j.pk = o.job AND j.attempt = o.attempt "
    "WHERE o.job = ? AND o.name = ? AND o.type = ? AND o.deleted_us IS NULL"
)


async def visible(engine: Engine, job: int, name: str, type_text: str) -> OutputRow | None:
    """Return the output that ``job`` shows under this name and type.

    It belongs to the present attempt and is not hidden; ``None`` when there is none.
    """
    rows = await engine.fetch(_VISIBLE, (job, name, type_text))
    return OutputRow(*rows[0]) if rows else None


async def get(engine: Engine, pk: int) -> OutputRow | None:
    """Return output ``pk``, hidden or not, of whatever attempt."""
    rows = await engine.fetch(f"{OUTPUTS} WHERE pk = ?", (pk,))
    return OutputRow(*rows[0]) if rows else None


async def some(engine: Engine, pks: Sequence[int]) -> list[OutputRow]:
    """Return outputs ``pks`` in the order of ``pks``; those that are not there are left out."""
    if not pks:
        return []
    rows = await engine.fetch(f"{OUTPUTS} WHERE pk IN ({marks(len(pks))})", tuple(pks))
    return in_order(pks, [OutputRow(*row) for row in rows])


async def unused(engine: Engine, sha256s: Sequence[str]) -> list[str]:
    """Return those of ``sha256s`` that no output has, hidden or not, and no late upload either."""
    if not sha256s:
        return []
    some = f"sha256 IN ({marks(len(sha256s))})"
    parts = (f"SELECT sha256 FROM {table} WHERE {some}" for table in ("outputs", "quarantine"))
    found = await engine.fetch(" UNION ".join(parts), (*sha256s, *sha256s))
    used = {sha256 for (sha256,) in found}
    return [sha256 for sha256 in sha256s if sha256 not in used]
