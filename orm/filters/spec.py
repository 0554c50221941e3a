"""The grammar of filters, decoded straight from a request's body.

Source: the UFDL filter specification. What is malformed is refused here, by the name of the member;
whether a field exists, and which values it takes, is the compiler's to say.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

MAX_CONDITIONS = 1_000
"""Field expressions in one filter: a worker's poll has four, a generated choice some hundreds."""

MAX_ORDERS = 100

_FieldName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_MESSAGE_LENGTH = 300


class BadFilter(ValueError):
    """The filter is malformed, or asks for what nobody may; the message names the member."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object that holds no other members."""


class _Tagged(_Strict, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """An expression: ``type`` is its name in small letters."""

    invert: bool = False


class Exact(_Tagged, frozen=True, kw_only=True):
    """The field has this value."""

    field: _FieldName
    value: str | _Integer | float | bool
    case_insensitive: bool = False


class Contains(_Tagged, frozen=True, kw_only=True):
    """The field's text has this text in it."""

    field: _FieldName
    sub_string: Annotated[str, msgspec.Meta(min_length=1)]
    case_insensitive: bool = False


class IsNull(_Tagged, frozen=True, kw_only=True):
    """The field has no value."""

    field: _FieldName


class Compare(_Tagged, frozen=True, kw_only=True):
    """The field's value is on this side of another value."""

    field: _FieldName
    operator: Literal["<", ">", "<=", ">="]
    value: str | _Integer | float


FieldExpression = Exact | Contains | IsNull | Compare


class And(_Tagged, frozen=True, kw_only=True):
    """All of them are true."""

    sub_expressions: Annotated[tuple[FieldExpression, ...], msgspec.Meta(min_length=2)]


class Or(_Tagged, frozen=True, kw_only=True):
    """One of them is true."""

    sub_expressions: Annotated[tuple[And | FieldExpression, ...], msgspec.Meta(min_length=2)]


Expression = And | Or | FieldExpression


class Order(_Strict, frozen=True, kw_only=True):
    """One key to sort by; rows without a value come last unless they are asked for first."""

    field: _FieldName
    ascending: bool = True
    nulls_first: bool = False


class FilterSpec(_Strict, frozen=True, kw_only=True):
    """A whole filter; its expressions are joined by AND. The default lists all active rows."""

    expressions: tuple[Expression, ...] = ()
    order_by: tuple[Order, ...] = ()
    include_inactive: bool = False

    def demands(self) -> Iterator[FieldExpression]:
        """Yield what every match must satisfy, from the top level and from an ``and`` on it."""
        for expression in self.expressions:
            if isinstance(expression, And) and not expression.invert:
                yield from expression.sub_expressions
            elif not isinstance(expression, And | Or):
                yield expression


_DECODER = msgspec.json.Decoder(FilterSpec)


def parse(body: bytes) -> FilterSpec:
    """Return the filter in ``body``; an empty body is the default one.

    Raises:
        BadFilter: it is not JSON, not of the grammar, or larger than the limits of this module.
    """
    if not body:
        return FilterSpec()
    try:
        spec = _DECODER.decode(body)
    # Members before ``type`` are skipped by a recursion of the decoder's own.
    except RecursionError as error:
        raise BadFilter("nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFilter(str(error)[:_MESSAGE_LENGTH]) from error
    _check_size(spec)
    return spec


def _check_size(spec: FilterSpec) -> None:
    conditions = sum(_size(expression) for expression in spec.expressions)
    if conditions > MAX_CONDITIONS:
        raise BadFilter(
            f"expressions: {conditions} conditions, at most {MAX_CONDITIONS} are allowed"
        )
    if len(spec.order_by) > MAX_ORDERS:
        raise BadFilter(f"order_by: {len(spec.order_by)} keys, at most {MAX_ORDERS} are allowed")


def _size(expression: Expression) -> int:
    if isinstance(expression, And | Or):
        return sum(_size(part) for part in expression.sub_expressions)
    return 1
