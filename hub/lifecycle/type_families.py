"""The types themselves: which families there are, how one is written, which is below which.

The families, their parents, parameters and bounds are those of UFDL's job types. A name that is not
among them is one that users registered: a kind of JSON without parameters, of which nothing else is
known.
"""

import msgspec


class Named(msgspec.Struct, frozen=True):
    """A type by name with all of its arguments: any left out in the text is here as its bound."""

    name: str
    args: tuple["Named | Constant", ...] = ()


class Constant(msgspec.Struct, frozen=True):
    """The type of one value; ``of`` names its class, since to Python 1, 1.0 and True are equal."""

    of: str
    value: str | int | float | bool


TypeExpr = Named | Constant


class Family(msgspec.Struct, frozen=True):
    """A name of the language: what it is a kind of, and the bound of each of its parameters.

    ``fewest`` is the least number of arguments once any are given; by default all of them. No value
    has an abstract type as its own.
    """

    parent: str | None
    bounds: tuple[str, ...] = ()
    fewest: int | None = None
    is_abstract: bool = False


FAMILIES = {
    "UFDLType": Family(None, is_abstract=True),
    "UFDLJSONType": Family("UFDLType", is_abstract=True),
    "FiniteJSONType": Family("UFDLJSONType", is_abstract=True),
    "ServerResidentType": Family("FiniteJSONType", is_abstract=True),
    "NamedServerType": Family("ServerResidentType", is_abstract=True),
    "ValueType": Family("UFDLJSONType", is_abstract=True),
    "str": Family("ValueType"),
    "int": Family("ValueType"),
    "float": Family("ValueType"),
    "bool": Family("ValueType"),
    "JSON": Family("UFDLJSONType"),
    "Array": Family("UFDLJSONType", ("UFDLJSONType", "int"), fewest=1),
    "Map": Family("UFDLJSONType", ("UFDLJSONType",)),
    "Nothing": Family("FiniteJSONType"),
    "PK": Family("FiniteJSONType", ("ServerResidentType",)),
    "Name": Family("FiniteJSONType", ("NamedServerType",)),
    "JobOutput": Family("ServerResidentType", ("UFDLType",)),
    "Framework": Family("ServerResidentType", ("str", "str")),
    "Dataset": Family("NamedServerType", ("Domain",)),
    "DockerImage": Family("NamedServerType", ("Domain", "Framework")),
    "Domain": Family("NamedServerType", ("str",)),
    "Hardware": Family("NamedServerType"),
    "CUDAVersion": Family("NamedServerType"),
    "PretrainedModel": Family("NamedServerType", ("Domain", "Framework")),
    "BLOB": Family("UFDLType", ("str",)),
    "Compressed": Family("UFDLType", ("UFDLType", "int")),
    "Model": Family("UFDLType", ("Domain", "Framework")),
}

REGISTERED = Family("UFDLJSONType")
"""What is known of a type that users registered."""


def family(name: str) -> Family:
    """Return the family of this name, which is built in or registered."""
    return FAMILIES.get(name, REGISTERED)


def canonical(expr: TypeExpr) -> str:
    """Write a type in the one form in which it is stored; ``parse`` gives the same type back."""
    match expr:
        case Named(name, ()):
            return name
        case Named(name, args):
            return f"{name}<{', '.join(map(canonical, args))}>"
        case Constant("str", value):
            return "'" + str(value).replace("'", "\\'") + "'"
        case Constant("bool", value):
            return "@true" if value else "@false"
        case Constant(_, value):
            return repr(value)


def is_subtype(a: TypeExpr, b: TypeExpr) -> bool:
    """Say whether every value of ``a`` may stand where ``b`` is asked for.

    The class of ``a`` must be that of ``b`` or below it, and each argument of ``a`` a sub-type of
    ``b``'s: ``int`` is no ``float``, ``Array<'a'>`` is an ``Array<str>``, ``Array<int>`` is no
    ``Array<int, 2>``.
    """
    match a, b:
        case _, Constant():
            return a == b
        case Constant(of), Named(name):
            return _descends(of, name)
        case Named(below, fine), Named(above, coarse):
            # Below its own class a type has no parameters to compare.
            pairs = zip(fine, coarse, strict=True) if below == above else ()
            return _descends(below, above) and all(is_subtype(x, y) for x, y in pairs)


def is_server_resident(expr: TypeExpr) -> bool:
    """Say whether the values of this type are objects that the hub keeps, like ``Framework``."""
    return isinstance(expr, Named) and _descends(expr.name, "ServerResidentType")


def is_abstract(expr: TypeExpr) -> bool:
    """Say whether a type is only there to stand above others, like ``ValueType``."""
    return isinstance(expr, Named) and family(expr.name).is_abstract


def _descends(name: str | None, ancestor: str) -> bool:
    while name is not None and name != ancestor:
        name = family(name).parent
    return name == ancestor
