"""The words of the language of types, and how to tell what is wrong with a text in it."""

import json
import re
from collections.abc import Iterator

from hub.errors import HubError, Kind

Token = tuple[str, str, int]
"""Its kind, its text, and where it begins."""


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


WORD = re.compile(r"[^\W\d]\w*")

# In a text only the quote is escaped; any other backslash stands for itself.
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<name>{WORD.pattern})
    | (?P<text>'(?:[^'\\]|\\'|\\(?!'))*')
    | (?P<float>-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))
    | (?P<int>-?[0-9]+)
    | (?P<flag>@(?:true|false)\b)
    | (?P<sign>[<>,])
    | (?P<end>\Z)
    )""",
    re.VERBOSE,
)


def names_in(text: str) -> frozenset[str]:
    """Return the names in the text of a type, known or not; quotes are not looked into.

    Raises:
        BadType: There is something in it that is no part of any type.
    """
    return frozenset(token for kind, token, _ in scan(text, "type") if kind == "name")


def is_type_name(text: str) -> bool:
    """Say whether a type may have this name: workers, and this language, can read it."""
    return text.isidentifier() and WORD.fullmatch(text) is not None


def scan(text: str, noun: str) -> Iterator[Token]:
    """Give the tokens of a text; the last is its end.

    Raises:
        BadType: Here begins something that is no token.
    """
    at, kind = 0, ""
    while kind != "end":
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            blanks = len(text[at:]) - len(text[at:].lstrip())
            raise bad(text, "unexpected character", at + blanks, noun)
        kind, at = found.lastgroup, found.end()
        yield kind, found[kind], found.start(kind)


def unknown(text: str, name: str, position: int, noun: str) -> UnknownType:
    """Make the refusal of a name in a text, in the words that UFDL's clients know."""
    detail = f'Error parsing {noun}-string "{legible(text)}": Unknown type-name "{legible(name)}"'
    return UnknownType(detail, position=position)


def bad(text: str, reason: str, position: int, noun: str = "type") -> BadType:
    """Make the refusal of a text; ``noun`` says what it would be the text of."""
    detail = f'Error parsing {noun}-string "{legible(text)}": {reason} at position {position}'
    return BadType(detail, position=position)


def legible(text: str, *, limit: int = 80) -> str:
    """Return a foreign text fit for a message: cut at ``limit`` characters, escaped if need be."""
    start = text[:limit]
    shown = start if start.isprintable() else json.dumps(start)[1:-1]
    return shown + "…" if len(text) > limit else shown
