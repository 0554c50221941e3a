"""How an answer is compared with what is on record, where the same thing is never the same twice.

These texts stand for what differs from one play of a record to the next:

* ``${int}`` ``${number}`` ``${text}`` ``${time}`` ``${object}`` ``${list}`` ``${any}``: something
  of that kind, also ``${time or null}`` and the like; ``${int as job}`` keeps it as `job`;
* ``${job}``: what was kept, in paths and texts too;
* ``${fresh machine}``: a name that was never used before, the same in all of one play.

An object on record may have more members in the answer, unless it says ``"${no more}": true``; a
list has as many items, but ``["${each}", x]`` wants all items like ``x``, ``["${some}", x]`` one.
"""

import re
from collections.abc import Callable

from tests.compat.python_client import Json
from tests.compat.site import fresh

PLACE = re.compile(r"\$\{([a-z][a-z_ ]*)\}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|\+00:00)")
NO_MORE, EACH, SOME = "${no more}", "${each}", "${some}"

KINDS: dict[str, Callable[[Json], bool]] = {
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "time": lambda value: isinstance(value, str) and TIME.fullmatch(value) is not None,
    "object": lambda value: isinstance(value, dict),
    "list": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
    "any": lambda value: True,
}


class Kept:
    """What one play of a record has kept so far, by name."""

    def __init__(self) -> None:
        self.values: dict[str, Json] = {}

    def filled(self, said: Json) -> Json:
        """Return JSON with what was kept in its places; where a place is all, it keeps its kind."""
        if isinstance(said, dict):
            return {self.filled(name): self.filled(value) for name, value in said.items()}
        if isinstance(said, list):
            return [self.filled(value) for value in said]
        return self._text(said) if isinstance(said, str) else said

    def _text(self, text: str) -> Json:
        whole = PLACE.fullmatch(text)
        if whole:
            return self._value(whole.group(1))
        return PLACE.sub(lambda found: str(self._value(found.group(1))), text)

    def _value(self, name: str) -> Json:
        if name.startswith("fresh "):
            self.values.setdefault(name, fresh(name.removeprefix("fresh ")))
        return self.values[name]

    def differences(self, expected: Json, found: Json, where: str) -> list[str]:
        """Return where what was found is not as on record."""
        if isinstance(expected, dict):
            return self._in_object(expected, found, where)
        if isinstance(expected, list):
            return self._in_list(expected, found, where)
        is_place = isinstance(expected, str) and PLACE.search(expected)
        is_like = self._is_like(str(expected), found) if is_place else is_same(expected, found)
        return [] if is_like else [f"{where}: {found!r} is not {expected!r}"]

    def _in_object(self, expected: Json, found: Json, where: str) -> list[str]:
        if not isinstance(found, dict):
            return [f"{where}: {found!r} is no object"]
        said = {name: value for name, value in expected.items() if name != NO_MORE}
        wrong = [f"{where}: no {name}" for name in said if name not in found]
        if expected.get(NO_MORE):
            wrong += [f"{where}: also {name}" for name in found if name not in said]
        for name, value in said.items():
            if name in found:
                wrong += self.differences(value, found[name], f"{where}.{name}")
        return wrong

    def _in_list(self, expected: Json, found: Json, where: str) -> list[str]:
        if not isinstance(found, list):
            return [f"{where}: {found!r} is no list"]
        if expected[:1] == [EACH]:
            pairs = [(expected[1], item) for item in found]
        elif expected[:1] == [SOME]:
            tries = [self.differences(expected[1], item, where) for item in found]
            return [] if [] in tries else [f"{where}: no item is like {expected[1]!r}"]
        elif len(expected) != len(found):
            return [f"{where}: {len(found)} items"]
        else:
            pairs = list(zip(expected, found, strict=True))
        return [
            text
            for number, (one, item) in enumerate(pairs)
            for text in self.differences(one, item, f"{where}[{number}]")
        ]

    def _is_like(self, expected: str, found: Json) -> bool:
        place = PLACE.fullmatch(expected)
        kind, _, name = (place.group(1) if place else "").partition(" as ")
        kinds = kind.split(" or ")
        if not set(kinds) <= KINDS.keys():
            return is_same(self.filled(expected), found)
        if name:
            self.values[name] = found
        return any(KINDS[kind](found) for kind in kinds)


def is_same(expected: Json, found: Json) -> bool:
    """Say whether two values are the same in JSON: 1 is neither 1.0 nor true."""
    return type(expected) is type(found) and bool(expected == found)
