"""Which objects are the values of a type whose values the hub keeps, such as ``Framework``."""

from collections.abc import Iterator

import msgspec

from hub.lifecycle.types import (
    BadType,
    Constant,
    Named,
    TypeExpr,
    canonical,
    is_abstract,
    is_server_resident,
    legible,
    parse,
)
from orm.filters import fields
from orm.filters.fields import Resource
from orm.filters.spec import Exact, FilterSpec

LISTS: dict[str, Resource] = {
    "CUDAVersion": fields.CUDA,
    "DockerImage": fields.DOCKER,
    "Domain": fields.DOMAINS,
    "Framework": fields.FRAMEWORKS,
    "Hardware": fields.HARDWARE,
    "JobOutput": fields.JOB_OUTPUTS,
}
"""Type -> the list of its objects; of datasets and pretrained models this hub keeps none."""


class Objects(msgspec.Struct, frozen=True):
    """Those objects on the list of ``family`` that meet ``conditions``."""

    family: str
    conditions: FilterSpec


def objects_of(text: str, registered: frozenset[str]) -> Objects:
    """Return which objects are the values of a type.

    Args:
        text: The type.
        registered: The names of the types that users registered.

    Raises:
        BadType: It is no type, its values are not kept by the hub, or it is abstract.
    """
    expr = parse(text, registered)
    if not isinstance(expr, Named) or not is_server_resident(expr):
        raise BadType(f"{legible(text)} is not a server-resident type")
    if is_abstract(expr):
        raise BadType(f"{legible(text)} is abstract")
    return Objects(expr.name, conditions_of(expr))


def conditions_of(expr: Named) -> FilterSpec:
    """Return the filter with which the list of a type's objects shows those of this very type."""
    return FilterSpec(expressions=tuple(Exact(field=f, value=v) for f, v in _demands(expr)))


def _demands(expr: TypeExpr, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield which fields must have which texts; a type argument that is no constant says nothing.

    Args:
        expr: The type.
        prefix: How the names of its fields begin, where it is an argument of another type.
    """
    match expr:
        case Named("JobOutput", (of,)):
            yield "type", canonical(of)
        case Named("DockerImage", (domain, framework)):
            yield from _demands(domain, "domain.")
            yield from _demands(framework, "framework.")
        case Named("Framework", (name, version)):
            yield from _text(f"{prefix}name", name)
            yield from _text(f"{prefix}version", version)
        case Named("Domain", (description,)):
            yield from _text(f"{prefix}description", description)


def _text(field: str, arg: TypeExpr) -> Iterator[tuple[str, str]]:
    if isinstance(arg, Constant):
        yield field, str(arg.value)
