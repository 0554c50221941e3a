"""The language of value types: what is written, and what it means.

A type is written ``Name`` or ``Name<argument, ...>``; an argument is a type or a constant
(``'text'``, ``5``, ``0.5``, ``@true``), and a constant is itself a type, with one value. The rules
are those of UFDL's job types. Here a text is read; which types there are, how one is written and
how two compare stands in ``type_families``, of which words a text consists in ``type_tokens``.
"""

import math
from collections.abc import Iterable
from functools import lru_cache

from hub.lifecycle.type_families import (
    FAMILIES,
    Constant,
    Named,
    TypeExpr,
    canonical,
    family,
    is_abstract,
    is_server_resident,
    is_subtype,
)
from hub.lifecycle.type_tokens import (
    WORD,
    BadType,
    Token,
    UnknownType,
    bad,
    is_type_name,
    legible,
    names_in,
    scan,
    unknown,
)

__all__ = [
    "MAX_NESTING",
    "MAX_TEXT",
    "NONE_REGISTERED",
    "BadType",
    "Constant",
    "Named",
    "TypeExpr",
    "UnknownType",
    "beyond_bound",
    "canonical",
    "is_abstract",
    "is_server_resident",
    "is_subtype",
    "is_type_name",
    "legible",
    "names_in",
    "parse",
    "parse_stored",
    "read_application",
    "unsound_number",
]

MAX_TEXT = 1024
"""The longest type text, in characters."""

MAX_NESTING = 16
"""The deepest type: ``Array<Array<int>>`` has three levels."""

NONE_REGISTERED: frozenset[str] = frozenset()


# Reading


def parse(text: str, registered: frozenset[str] = NONE_REGISTERED) -> TypeExpr:
    """Read a type's text.

    Args:
        text: The type.
        registered: Names that users gave to types of their own, which take no arguments. A
            built-in type of the same name goes first.

    Raises:
        UnknownType: A name in it is neither of the language nor registered.
        BadType: It is not well formed, has a wrong number or kind of arguments, or is, in canonical
            text too, longer than ``MAX_TEXT`` or nested deeper than ``MAX_NESTING``.
    """
    if len(text) > MAX_TEXT:
        raise bad(text, f"longer than {MAX_TEXT} characters", MAX_TEXT)
    return _parsed(text, _used(text, registered) if registered else registered)


@lru_cache(maxsize=4096)
def parse_stored(text: str) -> TypeExpr:
    """Read a text that was checked before it was stored.

    Whatever is named in it was registered then, and is so now: a type that is in use stays.

    Raises:
        BadType: It was not checked.
    """
    return parse(text, names_in(text))


def read_application(text: str, noun: str) -> tuple[str, tuple[TypeExpr, ...]]:
    """Read ``Name<argument, ...>`` where the name is not that of a type, but of another thing.

    Args:
        text: The whole of it.
        noun: What the thing is called in the messages of errors.

    Returns:
        The name, whatever it is, and the types that are its arguments.

    Raises:
        BadType: It is longer than ``MAX_TEXT``, not well formed, or an argument is no type.
    """
    if len(text) > MAX_TEXT:
        raise bad(text, f"longer than {MAX_TEXT} characters", MAX_TEXT, noun)
    reader = _Reader(text, noun=noun)
    kind, name, position = reader.take()
    if kind != "name":
        raise bad(text, "expected a name", position, noun)
    args = reader.arguments(level=1)
    reader.finish()
    return name, args


def _used(text: str, registered: frozenset[str]) -> frozenset[str]:
    """Return which of the registered names this text needs: most texts need none.

    What is read is remembered under these, and so does not depend on all the others.
    """
    words = WORD.findall(text)
    return frozenset(word for word in words if word in registered and word not in FAMILIES)


@lru_cache(maxsize=4096)
def _parsed(text: str, registered: frozenset[str]) -> TypeExpr:
    reader = _Reader(text, registered)
    expr = reader.expression()
    reader.finish()
    if len(canonical(expr)) > MAX_TEXT:
        raise bad(text, f"longer than {MAX_TEXT} characters in canonical text", 0)
    return expr


class _Reader:
    """Reads one text from left to right, always one token ahead."""

    def __init__(
        self, text: str, registered: frozenset[str] = NONE_REGISTERED, noun: str = "type"
    ) -> None:
        self._text = text
        self._registered = registered
        self._noun = noun
        self._tokens = scan(text, noun)
        self._kind, self._token, self._position = next(self._tokens)

    def take(self) -> Token:
        taken = self._kind, self._token, self._position
        # Past the end there is only the end again.
        self._kind, self._token, self._position = next(self._tokens, taken)
        return taken

    def skip(self, sign: str) -> bool:
        if found := self._token == sign and self._kind == "sign":
            self.take()
        return found

    def finish(self) -> None:
        if self._kind != "end":
            raise self._bad("expected the end", self._position)

    def expression(self, level: int = 1) -> TypeExpr:
        if level > MAX_NESTING:
            raise self._too_deep(self._position)
        kind, token, position = self.take()
        if kind in ("sign", "end"):
            raise self._bad("expected a type", position)
        if kind != "name":
            return self._constant(kind, token, position)
        return self._named(token, self.arguments(level), position, level)

    def arguments(self, level: int) -> tuple[TypeExpr, ...]:
        """Read what follows the name of a type at this level, if anything does."""
        if not self.skip("<"):
            return ()
        args = [self.expression(level + 1)]
        while self.skip(","):
            args.append(self.expression(level + 1))
        if not self.skip(">"):
            raise self._bad("expected ',' or '>'", self._position)
        return tuple(args)

    def _constant(self, kind: str, token: str, position: int) -> Constant:
        match kind:
            case "text":
                if token.isprintable():
                    return Constant("str", token[1:-1].replace("\\'", "'"))
                raise self._bad("unprintable character in a text", position)
            case "flag":
                return Constant("bool", token == "@true")
        number = int(token) if kind == "int" else float(token)
        if problem := unsound_number(number):
            raise self._bad(problem, position)
        return Constant(kind, number)

    def _named(self, name: str, args: tuple[TypeExpr, ...], position: int, level: int) -> Named:
        if level > MAX_NESTING:
            raise self._too_deep(position)
        if name not in FAMILIES and name not in self._registered:
            raise unknown(self._text, name, position, self._noun)
        known = family(name)
        bounds = tuple(self._named(bound, (), position, level + 1) for bound in known.bounds)
        fewest = len(bounds) if known.fewest is None else known.fewest
        if args and not fewest <= len(args) <= len(bounds):
            raise self._bad(f"{name} takes {len(bounds)} arguments, not {len(args)}", position)
        if excess := beyond_bound(args, bounds):
            raise self._bad(f"{excess}, the bound in {name}", position)
        return Named(name, args + bounds[len(args) :])

    def _too_deep(self, position: int) -> BadType:
        return self._bad(f"nested deeper than {MAX_NESTING} levels", position)

    def _bad(self, reason: str, position: int) -> BadType:
        return bad(self._text, reason, position, self._noun)


def beyond_bound(args: Iterable[TypeExpr], bounds: Iterable[TypeExpr]) -> str | None:
    """Say which argument is no sub-type of its bound: ``float is no int``."""
    for arg, bound in zip(args, bounds, strict=False):
        if not is_subtype(arg, bound):
            return f"{legible(canonical(arg))} is no {canonical(bound)}"
    return None


def unsound_number(number: float) -> str | None:
    """Return what makes a number, an int or a float, unfit for any type at all."""
    if isinstance(number, int):
        return None if -(2**63) <= number < 2**63 else "an int of more than 64 bits"
    return None if math.isfinite(number) else "a number that is not finite"
