"""One page of jobs: the numbers of the rows, and where the next page begins.

A page starts after the keys of the row before it, not at a count of rows, so jobs that are added
meanwhile move nothing; every order ends with the pk, which no two jobs share.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import And
from piccolo.querystring import QueryString

from orm.engine import Engine
from orm.filters.compiler import DIALECTS, bound, joined, listed
from orm.filters.fields import Kind
from orm.filters.spec import BadFilter
from orm.tables import Job, JobTemplate

Keys = tuple[int, ...]
PageOrder = Literal["-created", "created", "-modified", "modified", "priority"]


class JobPageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs, in which order, and how many. What is empty or ``None`` does not restrict.

    Attributes:
        status: Any of these.
        template: The pk of one, or a name: then all its versions.
        label: Key and value; each must be there.
        text: A part of the description, in either case.
        created_after_us: Included; microseconds, as all four.
        created_before_us: Not included.
        modified_after_us: Included.
        modified_before_us: Not included.
        order: By the pk (which is the order of creation), the last change, or priority then pk.
        limit: The most to return.
        after: The keys at which the former page ended.
    """

    status: tuple[str, ...] = ()
    template: int | str | None = None
    label: tuple[tuple[str, str], ...] = ()
    creator: int | None = None
    node: int | None = None
    parent: int | None = None
    text: str = ""
    created_after_us: int | None = None
    created_before_us: int | None = None
    modified_after_us: int | None = None
    modified_before_us: int | None = None
    include_deleted: bool = False
    order: PageOrder = "-created"
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    after: Keys | None = None


class _Order(NamedTuple):
    keys: tuple[Column, ...]
    is_descending: bool


ORDERS: dict[PageOrder, _Order] = {
    "-created": _Order((Job.pk,), is_descending=True),
    "created": _Order((Job.pk,), is_descending=False),
    "-modified": _Order((Job.modified_us, Job.pk), is_descending=True),
    "modified": _Order((Job.modified_us, Job.pk), is_descending=False),
    "priority": _Order((Job.priority, Job.pk), is_descending=False),
}

# Labels are a JSON object of texts; a key may hold any character, so it is not made part of a path.
_HAS_LABEL = {
    "sqlite": "EXISTS (SELECT 1 FROM json_each({}) AS l WHERE l.key = {} AND l.value = {})",
    "postgres": "CAST({} AS JSONB) ->> {} = {}",
}

_BOUNDS = {
    "creator": (Job.creator, "="),
    "node": (Job.node, "="),
    "parent": (Job.parent, "="),
    "created_after_us": (Job.created_us, ">="),
    "created_before_us": (Job.created_us, "<"),
    "modified_after_us": (Job.modified_us, ">="),
    "modified_before_us": (Job.modified_us, "<"),
}


class FoundJobs(NamedTuple):
    """The keys of each job of a page, of which the last is its pk, and whether more follow."""

    keys: list[Keys]
    has_more: bool


async def page(engine: Engine, query: JobPageQuery) -> FoundJobs:
    """Return a page; the next one starts after the last of its keys, or any that was shown last.

    Raises:
        BadFilter: ``after`` does not fit the order, a number needs more than 64 bits, or a text has
            a NUL.
    """
    sql, values = statement(engine.kind, query)
    rows = await engine.search(sql, values)
    return FoundJobs(rows[: query.limit], has_more=len(rows) > query.limit)


def statement(kind: str, query: JobPageQuery) -> tuple[str, list[Any]]:
    """Return the query of ``page`` for one kind of engine, with ``?`` for its values."""
    order = ORDERS[query.order]
    parts = list(_conditions(kind, query))
    where = joined(And, parts).querystring if parts else QueryString("TRUE")
    direction = " DESC" if order.is_descending else ""
    sort = listed([QueryString("{}" + direction, key) for key in order.keys])
    select = QueryString(
        'SELECT {} FROM "jobs" WHERE {} ORDER BY {} LIMIT {}',
        *(listed(order.keys), where, sort, query.limit + 1),
    )
    # Both engines take question marks; the PostgreSQL one numbers them itself.
    return select.compile_string("sqlite")


def _conditions(kind: str, query: JobPageQuery) -> Iterator[QueryString]:
    if not query.include_deleted:
        yield QueryString("{} IS NULL", Job.deleted_us)
    for name, (column, operator) in _BOUNDS.items():
        if (value := getattr(query, name)) is not None:
            yield QueryString("{} " + operator + " {}", column, _value(name, Kind.INT, value))
    if query.template is not None:
        yield _of_template(query.template)
    if query.after is not None:
        yield _after(ORDERS[query.order], query.after)
    yield from _about_texts(kind, query)


def _about_texts(kind: str, query: JobPageQuery) -> Iterator[QueryString]:
    if query.status:
        statuses = [_value("status", Kind.TEXT, status) for status in query.status]
        yield QueryString("{} IN ({})", Job.status, listed(statuses))
    for label in query.label:
        key, value = (_value("label", Kind.TEXT, text) for text in label)
        yield QueryString(_HAS_LABEL[kind], Job.labels, key, value)
    if query.text:
        part = _value("text", Kind.TEXT, query.text)
        yield DIALECTS[kind].contains(QueryString("{}", Job.description), part, fold=True)


def _of_template(template: int | str) -> QueryString:
    if isinstance(template, int):
        return QueryString("{} = {}", Job.template, _value("template", Kind.INT, template))
    return QueryString(
        '{} IN (SELECT {} FROM "job_templates" WHERE {} = {})',
        *(Job.template, JobTemplate.pk, JobTemplate.name, _value("template", Kind.TEXT, template)),
    )


def _after(order: _Order, keys: Keys) -> QueryString:
    if len(keys) != len(order.keys):
        raise BadFilter(f"after has {len(keys)} keys, the order {len(order.keys)}")
    operator = "<" if order.is_descending else ">"
    reached = listed([_value("after", Kind.INT, key) for key in keys])
    return QueryString("({}) " + operator + " ({})", listed(order.keys), reached)


def _value(name: str, kind: Kind, value: str | int) -> QueryString:
    try:
        return bound(kind, value)
    except BadFilter as error:
        raise BadFilter(f"{name} {error}") from error
