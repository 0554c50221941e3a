"""The language of value types: read a type's text, write it, compare two types.

A type is written ``Name`` or ``Name<argument, ...>``; an argument is a type or a constant
(``'text'``, ``5``, ``0.5``, ``@true``), and a constant is itself a type, with one value. The rules
are those of UFDL's job types.
"""

import json
import math
import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from hub.errors import HubError, Kind

MAX_TEXT = 1024
"""The longest type text, in characters."""

MAX_NESTING = 16
"""The deepest type: ``Array<Array<int>>`` has three levels."""


class BadType(HubError):
    """This text is not the text of a type.

    Args:
        detail: What is wrong with it.
        position: Where, as an index into the text.
    """

    kind = Kind.INVALID
    code = "bad_type"

    def __init__(self, detail: str | None = None, *, position: int = 0) -> None:
        self.position = position
        super().__init__(detail)


class UnknownType(BadType):
    """No type has this name."""


class Named(msgspec.Struct, frozen=True):
    """A type by name with all of its arguments: any left out in the text is here as its bound."""

    name: str
    args: tuple["Named | Constant", ...] = ()


class Constant(msgspec.Struct, frozen=True):
    """The type of one value; ``of`` names its class, since to Python 1, 1.0 and True are equal."""

    of: str
    value: str | int | float | bool


TypeExpr = Named | Constant


class _Family(msgspec.Struct, frozen=True):
    """A name of the language: what it is a kind of, and the bound of each of its parameters.

    ``fewest`` is the least number of arguments once any are given; by default all of them.
    """

    parent: str | None
    bounds: tuple[str, ...] = ()
    fewest: int | None = None


_FAMILIES = {
    "UFDLType": _Family(None),
    "UFDLJSONType": _Family("UFDLType"),
    "FiniteJSONType": _Family("UFDLJSONType"),
    "ValueType": _Family("UFDLJSONType"),
    "str": _Family("ValueType"),
    "int": _Family("ValueType"),
    "float": _Family("ValueType"),
    "bool": _Family("ValueType"),
    "JSON": _Family("UFDLJSONType"),
    "Array": _Family("UFDLJSONType", ("UFDLJSONType", "int"), fewest=1),
    "Map": _Family("UFDLJSONType", ("UFDLJSONType",)),
    "Nothing": _Family("FiniteJSONType"),
    "BLOB": _Family("UFDLType", ("str",)),
}


# Reading and writing types


def parse(text: str) -> TypeExpr:
    """Read a type's text.

    Raises:
        UnknownType: A name in it is none of the language.
        BadType: It is not well formed, has a wrong number or kind of arguments, or is, in canonical
            text too, longer than ``MAX_TEXT`` or nested deeper than ``MAX_NESTING``.
    """
    if len(text) > MAX_TEXT:
        raise _bad(text, f"longer than {MAX_TEXT} characters", MAX_TEXT)
    return _parsed(text)


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


def legible(text: str, *, limit: int = 80) -> str:
    """Return a foreign text fit for a message: cut at ``limit`` characters, escaped if need be."""
    start = text[:limit]
    shown = start if start.isprintable() else json.dumps(start)[1:-1]
    return shown + "…" if len(text) > limit else shown


# In a text only the quote is escaped; any other backslash stands for itself.
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<name>[^\W\d]\w*)
    | (?P<text>'(?:[^'\\]|\\'|\\(?!'))*')
    | (?P<float>-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))
    | (?P<int>-?[0-9]+)
    | (?P<flag>@(?:true|false)\b)
    | (?P<sign>[<>,])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


class _Reader:
    """Reads one text from left to right, always one token ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = self._scan()
        self.kind, self.token, self.position = next(self._tokens)

    def _scan(self) -> Iterator[tuple[str, str, int]]:
        at, kind = 0, ""
        while kind != "end":
            found = _TOKEN.match(self.text, at)
            if found is None or found.lastgroup is None:
                blanks = len(self.text[at:]) - len(self.text[at:].lstrip())
                raise _bad(self.text, "unexpected character", at + blanks)
            kind, at = found.lastgroup, found.end()
            yield kind, found[kind], found.start(kind)

    def take(self) -> tuple[str, str, int]:
        taken = self.kind, self.token, self.position
        # Past the end there is only the end again.
        self.kind, self.token, self.position = next(self._tokens, taken)
        return taken

    def skip(self, sign: str) -> bool:
        if found := self.token == sign and self.kind == "sign":
            self.take()
        return found

    def expression(self, level: int = 1) -> TypeExpr:
        if level > MAX_NESTING:
            raise _bad(self.text, f"nested deeper than {MAX_NESTING} levels", self.position)
        kind, token, position = self.take()
        if kind in ("sign", "end"):
            raise _bad(self.text, "expected a type", position)
        if kind != "name":
            return _constant(self.text, kind, token, position)
        return _named(self.text, token, self._arguments(level), position, level)

    def _arguments(self, level: int) -> tuple[TypeExpr, ...]:
        if not self.skip("<"):
            return ()
        args = [self.expression(level + 1)]
        while self.skip(","):
            args.append(self.expression(level + 1))
        if not self.skip(">"):
            raise _bad(self.text, "expected ',' or '>'", self.position)
        return tuple(args)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> TypeExpr:
    reader = _Reader(text)
    expr = reader.expression()
    if reader.kind != "end":
        raise _bad(text, "expected the end", reader.position)
    if len(canonical(expr)) > MAX_TEXT:
        raise _bad(text, f"longer than {MAX_TEXT} characters in canonical text", 0)
    return expr


def _bad(text: str, reason: str, position: int) -> BadType:
    detail = f'Error parsing type-string "{legible(text)}": {reason} at position {position}'
    return BadType(detail, position=position)


def _constant(text: str, kind: str, token: str, position: int) -> Constant:
    match kind:
        case "text":
            if token.isprintable():
                return Constant("str", token[1:-1].replace("\\'", "'"))
            raise _bad(text, "unprintable character in a text", position)
        case "flag":
            return Constant("bool", token == "@true")
    number = int(token) if kind == "int" else float(token)
    if problem := unsound_number(number):
        raise _bad(text, problem, position)
    return Constant(kind, number)


def unsound_number(number: float) -> str | None:
    """Return what makes a number, an int or a float, unfit for any type at all."""
    if isinstance(number, int):
        return None if -(2**63) <= number < 2**63 else "an int of more than 64 bits"
    return None if math.isfinite(number) else "a number that is not finite"


def _named(text: str, name: str, args: tuple[TypeExpr, ...], position: int, level: int) -> Named:
    if level > MAX_NESTING:
        raise _bad(text, f"nested deeper than {MAX_NESTING} levels", position)
    family = _FAMILIES.get(name)
    if family is None:
        detail = f'Error parsing type-string "{legible(text)}": Unknown type-name "{legible(name)}"'
        raise UnknownType(detail, position=position)
    bounds = tuple(_named(text, bound, (), position, level + 1) for bound in family.bounds)
    fewest = len(bounds) if family.fewest is None else family.fewest
    if args and not fewest <= len(args) <= len(bounds):
        raise _bad(text, f"{name} takes {len(bounds)} arguments, not {len(args)}", position)
    for arg, bound in zip(args, bounds, strict=False):
        if not is_subtype(arg, bound):
            reason = f"{legible(canonical(arg))} is no {canonical(bound)}, the bound in {name}"
            raise _bad(text, reason, position)
    return Named(name, args + bounds[len(args) :])


# Comparing types


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


def _descends(name: str | None, ancestor: str) -> bool:
    while name is not None and name != ancestor:
        name = _FAMILIES[name].parent
    return name == ancestor
