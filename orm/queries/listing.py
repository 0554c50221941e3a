"""What a list call lists: the numbers of the rows, in order. The rows follow a page at a time."""

from typing import Any

from piccolo.querystring import QueryString

from orm.engine import Engine
from orm.filters.compiler import compile_filter
from orm.filters.fields import Resource
from orm.filters.spec import FilterSpec


async def matching(
    engine: Engine, resource: Resource, spec: FilterSpec, *, limit: int, hide_waiting: bool = False
) -> list[int]:
    """Return the pks that match, in the filter's order, in one query.

    Args:
        engine: Where to look.
        resource: What is listed.
        spec: The filter.
        limit: The most that the caller will show; one more is returned if there is one.
        hide_waiting: Whether jobs that wait for others are left out, as for every node that asks.

    Raises:
        BadFilter: a field that may not be filtered, or a value that it cannot have.
    """
    sql, values = statement(engine.kind, resource, spec, limit=limit, hide_waiting=hide_waiting)
    return [pk for (pk,) in await engine.search(sql, values)]


def statement(
    kind: str, resource: Resource, spec: FilterSpec, *, limit: int, hide_waiting: bool = False
) -> tuple[str, list[Any]]:
    """Return the query of ``matching`` for one kind of engine, with ``?`` for its values."""
    compiled = compile_filter(spec, resource, kind, hide_waiting=hide_waiting)
    where = compiled.where.querystring if compiled.where else QueryString("TRUE")
    query = QueryString(
        f"SELECT {{}} FROM {compiled.source} WHERE {{}} ORDER BY {{}} LIMIT {{}}",
        *(resource.pk, where, compiled.order, limit + 1),
    )
    # Both engines take question marks; the PostgreSQL one numbers them itself.
    return query.compile_string("sqlite")
