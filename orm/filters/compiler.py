"""From a filter to conditions and a sort order, on either database.

Values travel as bound parameters, never in the SQL. A condition counts when it is true: ``invert``
turns false and unknown alike into true, so a row without a value meets every inverted condition.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
from piccolo.columns import Column
from piccolo.columns.combination import And as AllOf
from piccolo.columns.combination import Or as AnyOf
from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from orm.filters.fields import JOBS, Field, Kind, Relation, Resource
from orm.filters.spec import (
    And,
    BadFilter,
    Compare,
    Contains,
    Exact,
    Expression,
    FieldExpression,
    FilterSpec,
    IsNull,
    Or,
    Order,
)
from orm.tables import Job

Condition = WhereRaw | AllOf | AnyOf
Scalar = str | int | float | bool


class Compiled(msgspec.Struct, frozen=True, eq=False):
    """From where, which rows (``None`` for all of them), and in which order: always a total one."""

    source: str
    where: Condition | None
    order: QueryString


class Dialect(NamedTuple):
    """What the two databases write differently about text.

    Attributes:
        lower: Folds case, of all letters.
        position: Where the second text begins in the first, 0 when it does not.
        ordered: A text that is compared and sorted by code points.
        queue: The jobs, by the index of the queue.
    """

    lower: str
    position: str
    ordered: str
    queue: str

    def contains(self, text: QueryString, part: QueryString, *, fold: bool) -> QueryString:
        """Return the condition that ``text`` has ``part`` in it, in either case when ``fold``."""
        return QueryString(self.position + " > 0", *self.folded(text, part, fold=fold))

    def folded(self, *texts: QueryString, fold: bool) -> list[QueryString]:
        """Return ``texts`` in small letters when ``fold``, else as they are."""
        return [QueryString(self.lower, text) if fold else text for text in texts]


DIALECTS = {
    "sqlite": Dialect(
        lower="lower({})",
        position="instr({}, {})",
        ordered="{}",
        # SQLite prefers the index by status, and would sort a whole queue to show its first rows.
        queue='"jobs" INDEXED BY "jobs_queue"',
    ),
    # The collations are named because those of the database depend on how it was created.
    "postgres": Dialect(
        lower='lower({} COLLATE "und-x-icu")',
        position="strpos({}, {})",
        ordered='{} COLLATE "C"',
        queue='"jobs"',
    ),
}

# Nobody can take a meta-job, so no node is shown one.
IS_QUEUED = QueryString("{} = 'QUEUED' AND {} = 0", Job.status, Job.children)
IS_NOT_WAITING = QueryString(
    "{} NOT IN ('PENDING', 'BLOCKED') AND {} = 0", Job.status, Job.children
)
FREE = frozenset({"start_time", "error_reason", "node"})


def compile_filter(
    spec: FilterSpec, resource: Resource, kind: str, *, hide_waiting: bool = False
) -> Compiled:
    """Return what ``spec`` means for ``resource``.

    Args:
        spec: The filter.
        resource: What is listed.
        kind: The engine's kind, ``sqlite`` or ``postgres``.
        hide_waiting: Whether jobs that wait for others are left out, as for every node that asks.

    Raises:
        BadFilter: a field that may not be filtered, or a value that it cannot have.
    """
    return _Compiler(resource, DIALECTS[kind]).compiled(spec, hide_waiting=hide_waiting)


def joined(how: type[AllOf | AnyOf], parts: Sequence[QueryString]) -> Condition:
    """Return ``parts`` (at least one) under AND or OR, as a balanced tree.

    SQLite refuses expressions deeper than 1,000, and a chain is as deep as it is long.
    """
    if len(parts) == 1:
        return WhereRaw("{}", parts[0])
    middle = len(parts) // 2
    return how(joined(how, parts[:middle]), joined(how, parts[middle:]))


def listed(parts: Sequence[QueryString | Column]) -> QueryString:
    """Return ``parts`` with commas between them."""
    return QueryString(", ".join(["{}"] * len(parts)), *parts)


class _Compiler:
    """The compiler for one resource on one database."""

    def __init__(self, resource: Resource, dialect: Dialect) -> None:
        self._resource = resource
        self._dialect = dialect

    def compiled(self, spec: FilterSpec, *, hide_waiting: bool) -> Compiled:
        """Return the whole filter."""
        is_poll = self._resource is JOBS and _is_poll(spec)
        parts = list(self._all_of(spec.expressions))
        if self._resource.active is not None and not spec.include_inactive:
            parts.append(self._resource.active)
        if is_poll:
            parts.append(IS_QUEUED)
        elif self._resource is JOBS and (hide_waiting or "node" in _absent(spec)):
            parts.append(IS_NOT_WAITING)
        return Compiled(
            source=self._dialect.queue if is_poll else f'"{self._resource.table}"',
            where=joined(AllOf, parts) if parts else None,
            order=listed([*self._keys(spec.order_by), self._resource.pk]),
        )

    def _keys(self, orders: Sequence[Order]) -> Iterable[QueryString]:
        return [self._key(order) for order in orders] if orders else self._resource.order

    def _key(self, order: Order) -> QueryString:
        field = self._field(order.field)
        value = self._ordered(field)
        if field.via:
            value = field.via.least(value)
        direction = "ASC" if order.ascending else "DESC"
        nulls = "FIRST" if order.nulls_first else "LAST"
        return QueryString(f"{{}} {direction} NULLS {nulls}", value)

    def _all_of(self, expressions: Sequence[Expression]) -> Iterator[QueryString]:
        """Yield the conditions; what is asserted of related rows, of one and the same."""
        together: dict[Relation, list[QueryString]] = {}
        for expression in expressions:
            if isinstance(expression, And | Or) or (via := self._asserts_of(expression)) is None:
                yield self._one(expression)
            else:
                together.setdefault(via, []).append(self._assertion(expression))
        for via, assertions in together.items():
            yield via.having(joined(AllOf, assertions).querystring)

    def _asserts_of(self, expression: FieldExpression) -> Relation | None:
        via = self._field(expression.field).via
        return None if _denies(expression) else via

    def _one(self, expression: Expression) -> QueryString:
        match expression:
            case And():
                whole = joined(AllOf, list(self._all_of(expression.sub_expressions)))
                return _not(whole.querystring) if expression.invert else whole.querystring
            case Or():
                whole = joined(AnyOf, [self._one(part) for part in expression.sub_expressions])
                return _not(whole.querystring) if expression.invert else whole.querystring
            case _:
                return self._alone(expression)

    def _alone(self, expression: FieldExpression) -> QueryString:
        via = self._field(expression.field).via
        assertion = self._assertion(expression)
        condition = via.having(assertion) if via else assertion
        return _not(condition) if _denies(expression) else condition

    def _assertion(self, expression: FieldExpression) -> QueryString:
        """Return what is asserted, or denied, of the row that holds the field."""
        field = self._field(expression.field)
        try:
            match expression:
                case IsNull():
                    return QueryString("{} IS NOT NULL", field.value)
                case Exact():
                    return self._exact(field, expression)
                case Contains():
                    return self._contains(field, expression)
                case Compare():
                    return self._compare(field, expression)
        except BadFilter as error:
            raise BadFilter(f"field {expression.field!r} {error}") from error

    def _exact(self, field: Field, expression: Exact) -> QueryString:
        if field.kind is Kind.BOOL:
            return _is(field.value, expression.value)
        value = bound(field.kind, expression.value)
        fold = expression.case_insensitive and field.kind is Kind.TEXT
        return QueryString("{} = {}", *self._dialect.folded(field.value, value, fold=fold))

    def _contains(self, field: Field, expression: Contains) -> QueryString:
        if field.kind is not Kind.TEXT:
            raise BadFilter("is not a text")
        part = bound(Kind.TEXT, expression.sub_string)
        return self._dialect.contains(field.value, part, fold=expression.case_insensitive)

    def _compare(self, field: Field, expression: Compare) -> QueryString:
        if field.kind is Kind.BOOL:
            raise BadFilter("has no order")
        value = bound(field.kind, expression.value)
        return QueryString(f"{{}} {expression.operator} {{}}", self._ordered(field), value)

    def _ordered(self, field: Field) -> QueryString:
        template = self._dialect.ordered if field.kind is Kind.TEXT else "{}"
        return QueryString(template, field.value)

    def _field(self, name: str) -> Field:
        field = self._resource.fields.get(name)
        if field is None:
            raise BadFilter(
                f"field {name!r} is not one by which {self._resource.name} can be filtered"
            )
        return field


def _is_poll(spec: FilterSpec) -> bool:
    """Tell whether only queued jobs can match, and those of the queue's index at that.

    Of the jobs without node, start and error, those that do not wait are exactly the queued ones:
    held jobs have a node, started ones a start, failed and canceled ones an error, even if it is
    empty. To say so is what lets both databases answer a worker's poll from the index of the queue.
    """
    return _absent(spec) >= FREE and not spec.include_inactive


def _absent(spec: FilterSpec) -> set[str]:
    """Return the fields that no match has a value of."""
    return {d.field for d in spec.demands() if isinstance(d, IsNull) and not d.invert}


def _denies(expression: FieldExpression) -> bool:
    return expression.invert is not isinstance(expression, IsNull)


def _not(condition: QueryString) -> QueryString:
    return QueryString("({}) IS NOT TRUE", condition)


def _is(condition: QueryString, value: Scalar) -> QueryString:
    if not isinstance(value, bool):
        raise BadFilter("takes true or false")
    return QueryString("{} IS TRUE" if value else "{} IS NOT TRUE", condition)


# --- Values: what a filter says, as the database holds it -----------------------------------------


def bound(kind: Kind, value: Scalar) -> QueryString:
    """Return ``value`` as a bound parameter of the kind's type.

    Raises:
        BadFilter: a field of this kind cannot have it; the message goes on after the field's name.
    """
    convert, sql_type = _PARAMETERS[kind]
    # PostgreSQL would else take the type of the column, and refuse a number too large for it.
    return QueryString(f"CAST({{}} AS {sql_type})", convert(value))


def _text(value: Scalar) -> str:
    # PostgreSQL has no NUL in its texts, so none could match.
    if not isinstance(value, str) or "\0" in value:
        raise BadFilter("takes a text without NUL")
    return value


def _integer(value: Scalar) -> int:
    # JavaScript does not tell 1.0 from 1.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadFilter("takes a whole number")
    if not -(2**63) <= value < 2**63:
        raise BadFilter("takes a number of 64 bits")
    return value


def _number(value: Scalar) -> float:
    if isinstance(value, bool | str):
        raise BadFilter("takes a number")
    return float(value)


def _microseconds(value: Scalar) -> int:
    try:
        moment = msgspec.convert(value, _Moment)
    except msgspec.ValidationError as error:
        raise BadFilter("takes an ISO 8601 time with an offset, as text") from error
    return (moment - _EPOCH) // timedelta(microseconds=1)


_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PARAMETERS: dict[Kind, tuple[Callable[[Scalar], str | int | float], str]] = {
    Kind.TEXT: (_text, "TEXT"),
    Kind.INT: (_integer, "BIGINT"),
    Kind.NUMBER: (_number, "DOUBLE PRECISION"),
    Kind.TIME: (_microseconds, "BIGINT"),
}
