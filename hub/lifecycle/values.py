"""Checking values: does a decoded JSON value fit a type, and if not, where and why.

A body of a megabyte may hold half a million values, so they are checked in bulk: all members at one
depth have one type, and a chunk of them is looked at one by one only when something in it is wrong.
"""

import base64
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from hub.lifecycle.types import Constant, Named, TypeExpr, canonical, legible, unsound_number

MAX_VALUE_DEPTH = 64
"""The deepest value: ``[[1]]`` has three levels."""

CHUNK = 1_000
"""How many values are checked together."""

_CALLED: dict[type, str] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "float",
    str: "text",
    list: "array",
    dict: "object",
}
_ANY = frozenset(_CALLED)
_OBJECT = frozenset({dict})
# JSON does not tell 1 from 1.0, and JavaScript writes both as 1: an int will do for a float.
_ALLOWED: dict[str, frozenset[type]] = {
    "str": frozenset({str}),
    "int": frozenset({int}),
    "float": frozenset({int, float}),
    "bool": frozenset({bool}),
    "ValueType": frozenset({str, int, float, bool}),
    "Nothing": frozenset({type(None)}),
    "Array": frozenset({list}),
    "Map": frozenset({dict}),
    "PK": frozenset({int}),
    "Name": frozenset({str}),
    "ServerResidentType": frozenset({int, dict}),
    "JobOutput": frozenset({int}),
    "Framework": _OBJECT,
    "NamedServerType": _OBJECT,
    "Dataset": _OBJECT,
    "DockerImage": _OBJECT,
    "Domain": _OBJECT,
    "Hardware": _OBJECT,
    "CUDAVersion": _OBJECT,
    "PretrainedModel": _OBJECT,
    "BLOB": frozenset({str}),
    "Compressed": frozenset({str}),
    "Model": frozenset({str}),
}
_JSON = Named("JSON")


def accepts(expr: TypeExpr, value: object, name: str = "value") -> str | None:
    """Check a decoded JSON value against a type.

    What is not JSON, like a BLOB or a Model, comes as base64 text (RFC 4648, section 4, with
    padding). A JobOutput comes as its number, by which a worker downloads it; any other thing that
    the hub keeps as an object, into which is not looked. Whether there is a thing of a number or
    name is not asked. The abstract types above all these take any JSON, and so does a type that
    users registered. Ints have at most 64 bits, floats are finite, texts are Unicode.

    Args:
        expr: The type.
        value: What the JSON decoder gave.
        name: How the sentence calls the value.

    Returns:
        None when it fits, else a sentence with the path to a misfit that is nearest to the root:
        ``items[3]: expected int, got text``.
    """
    levels: list[Sequence[object]] = [[value]]
    while members := levels[-1]:
        if len(levels) > MAX_VALUE_DEPTH:
            return f"{name}{_path(levels, 0)}: nested deeper than {MAX_VALUE_DEPTH} levels"
        if misfit := _first_misfit(expr, members):
            return f"{name}{_path(levels, misfit[0])}: {misfit[1]}"
        levels.append(list(chain.from_iterable(map(_members, _containers(members)))))
        expr = _member_type(expr)
    return None


def _member_type(expr: TypeExpr) -> TypeExpr:
    match expr:
        case Named("Array" | "Map", (of, *_)):
            return of
    return _JSON


def _containers(members: Iterable[object]) -> list[Any]:
    return [member for member in members if type(member) is list or type(member) is dict]


def _members(container: Any) -> Iterable[object]:
    return container.values() if type(container) is dict else container


def _path(levels: list[Sequence[object]], index: int) -> str:
    """Write the way from the value to member ``index`` of the last level: ``[3].size``."""
    steps = []
    for level in reversed(levels[:-1]):
        index, step = _parent(level, index)
        steps.append(step)
    return "".join(reversed(steps))


def _parent(level: Sequence[object], index: int) -> tuple[int, str]:
    """Return where in ``level`` the parent of member ``index`` below it stands, and the step."""
    for place, member in enumerate(level):
        if type(member) is list or type(member) is dict:
            if index < len(member):
                return place, _written(index if type(member) is list else list(member)[index])
            index -= len(member)
    raise IndexError(index)


def _written(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    shown = legible(step, limit=40)
    return f".{shown}" if shown.isidentifier() else f'["{shown}"]'


def _first_misfit(expr: TypeExpr, members: Sequence[object]) -> tuple[int, str] | None:
    for start in range(0, len(members), CHUNK):
        chunk = members[start : start + CHUNK]
        if not _all_fit(expr, chunk):
            for index, member in enumerate(chunk, start):
                if problem := _misfit(expr, member):
                    return index, problem
    return None


# One by one


def _misfit(expr: TypeExpr, value: object) -> str | None:
    """Return what is wrong with this value, apart from its members."""
    if type(value) not in _allowed(expr):
        called = _CALLED.get(type(value), "something that is not JSON")
        return f"expected {canonical(expr)}, got {called}"
    return _unsound(value) or _unlike(expr, value)


def _allowed(expr: TypeExpr) -> frozenset[type]:
    return _ALLOWED.get(expr.name if isinstance(expr, Named) else expr.of, _ANY)


def _unsound(value: object) -> str | None:
    """What makes a value unfit for any type at all."""
    match value:
        case int() | float():
            return unsound_number(value)
        case str() if not _are_unicode([value]):
            return "a text with a lone surrogate"
        case dict() if not _are_unicode(value):
            return "a member whose name is not Unicode text"
    return None


def _unlike(expr: TypeExpr, value: object) -> str | None:
    """What this type asks for beyond the right kind of value."""
    match expr, value:
        case Constant(_, wanted), _ if value != wanted:
            return f"expected exactly {canonical(expr)}"
        case Named("Array", (_, Constant(_, size))), list() if len(value) != size:
            return f"expected {size} items, got {len(value)}"
        case Named("BLOB" | "Compressed" | "Model"), str() if not _is_base64(value):
            return "expected bytes as base64 text"
        case Named("PK" | "JobOutput"), int() if value < 1:
            return "expected a number from 1"
    return None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


# In bulk: each of these is one pass without a call for each value


def _all_fit(expr: TypeExpr, values: Sequence[Any]) -> bool:
    """Say whether none of these values, at least one, is a misfit."""
    kinds = set(map(type, values))
    if not kinds <= _allowed(expr) or not _all_alike(expr, values):
        return False
    return all(
        is_sound(values if len(kinds) == 1 else [v for v in values if type(v) is kind])
        for kind, is_sound in _ALL_SOUND.items()
        if kind in kinds
    )


def _all_alike(expr: TypeExpr, values: Sequence[Any]) -> bool:
    match expr:
        case Constant(_, wanted):
            return values.count(wanted) == len(values)
        case Named("Array", (_, Constant(_, size))):
            return set(map(len, values)) == {size}
        case Named("BLOB" | "Compressed" | "Model"):
            return all(map(_is_base64, values))
        case Named("PK" | "JobOutput"):
            return bool(min(values) >= 1)
    return True


def _are_unicode(texts: Iterable[Any]) -> bool:
    try:
        "".join(texts).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def _are_in_range(numbers: Sequence[Any]) -> bool:
    return not (unsound_number(min(numbers)) or unsound_number(max(numbers)))


def _are_finite(numbers: Sequence[Any]) -> bool:
    return all(map(math.isfinite, numbers))


def _are_named(objects: Sequence[Any]) -> bool:
    return _are_unicode(chain.from_iterable(objects))


_ALL_SOUND: dict[type, Callable[[Sequence[Any]], bool]] = {
    int: _are_in_range,
    float: _are_finite,
    str: _are_unicode,
    dict: _are_named,
}
