"""What a form can offer as values: numbers and names of the objects that are here now."""

from collections.abc import Sequence

from hub.lifecycle.resident import LISTS, conditions_of
from hub.lifecycle.types import Named, canonical
from orm.engine import Engine
from orm.queries import listing
from orm.queries.resident import names

KNOWN_MAX = 1_000
"""The most values of one type."""


async def known_values(engine: Engine, exprs: Sequence[Named]) -> dict[str, list[int | str]]:
    """Return the values that there are now of types ``PK<...>`` and ``Name<...>``.

    Returns:
        By the canonical text of each: numbers, or names (a docker image's is ``NAME vVERSION``),
        the oldest ``KNOWN_MAX`` of them.

    Raises:
        TooSlow: there are too many objects to look through.
    """
    return {canonical(expr): await _known(engine, expr) for expr in exprs}


async def _known(engine: Engine, expr: Named) -> list[int | str]:
    of = expr.args[0]
    if not isinstance(of, Named) or of.name not in LISTS:
        return []
    listed, conditions = LISTS[of.name], conditions_of(of)
    pks = (await listing.matching(engine, listed, conditions, limit=KNOWN_MAX))[:KNOWN_MAX]
    return [*pks] if expr.name == "PK" else [*await names(engine, of.name, pks)]
