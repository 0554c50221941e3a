"""Texts with placeholders such as ``{pk}``: names of a fixed list, replaced and nothing else.

They are no format strings: those reach into objects, and cost what their author likes. As there, a
doubled brace stands for a single one.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from hub.lifecycle.types import legible

CUT = "…"
"""Stands at the end of a text that was cut."""

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def placeholder_problem(text: str, known: Collection[str]) -> str | None:
    """Say which part of ``text`` stands for nothing that is known; ``None`` when all is well."""
    for part in _PART.finditer(text):
        name = part[1]
        if name is not None and name not in known:
            names = " ".join(f"{{{field}}}" for field in known)
            return f"There is no {{{legible(name)}}} here, only {names}."
        if part[0] in {"{", "}"}:
            return f"A single {part[0]} stands for nothing; for the character, write it twice."
    return None


def filled(text: str, values: Mapping[str, str], *, limit: int) -> str:
    """Return ``text`` with its placeholders replaced; one without a value becomes empty.

    Args:
        text: Of which ``placeholder_problem`` said nothing.
        values: By name, without braces.
        limit: The most characters of the result; ``CUT`` follows what is cut there.
    """
    kept: list[str] = []
    room = limit
    for piece in _pieces(text, values):
        kept.append(piece[:room])
        room -= len(piece)
        if room < 0:
            return "".join(kept) + CUT
    return "".join(kept)


def _pieces(text: str, values: Mapping[str, str]) -> Iterator[str]:
    end = 0
    for part in _PART.finditer(text):
        yield text[end : part.start()]
        yield part[0][0] if part[1] is None else values.get(part[1], "")
        end = part.end()
    yield text[end:]
