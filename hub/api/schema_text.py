"""Parts of the OpenAPI document as HTML: texts, types and calls of curl. Pure, and all escaped."""

import json
import re
import shlex
from html import escape
from typing import Any
from urllib.parse import quote

from hub.api.contract import Json

CODE = re.compile(r"``(.+?)``|`(.+?)`")
FENCED = re.compile(r"```\w*\n(.*?)\n```", re.DOTALL)
BOUNDS = (("minimum", "≥ {}"), ("maximum", "≤ {}"), ("maxLength", "at most {} characters"))
HUGE = 2**53


def line(text: str) -> str:
    """Return a line of Markdown as HTML; of all its marks only those of code are known here."""
    return CODE.sub(lambda match: f"<code>{match[1] or match[2]}</code>", escape(text))


def prose(text: str) -> str:
    """Return paragraphs, lists and blocks of code as HTML."""
    parts = FENCED.split(text)
    blocks = [
        f"<pre>{escape(part)}</pre>" if number % 2 else _paragraphs(part)
        for number, part in enumerate(parts)
    ]
    return "".join(blocks)


def _paragraphs(text: str) -> str:
    return "".join(_paragraph(part) for part in text.strip().split("\n\n") if part)


def _paragraph(text: str) -> str:
    if text.startswith("* "):
        items = [f"<li>{line(item)}</li>" for item in text[2:].split("\n* ")]
        return f"<ul>{''.join(items)}</ul>"
    return f"<p>{line(text)}</p>"


def type_of(schema: Json) -> str:
    """Return a schema in a few words; a named type is a link to its description on the page."""
    match schema:
        case {"$ref": reference}:
            name = escape(reference.rpartition("/")[2])
            return f'<a href="#type-{name}">{name}</a>'
        case {"allOf": [whole], "required": names}:
            return f"{type_of(whole)} with {escape(', '.join(names))}"
        case {"anyOf": choices}:
            return " or ".join(type_of(choice) for choice in choices)
        case {"enum": values}:
            return " or ".join(f"<code>{escape(str(value))}</code>" for value in values)
        case _:
            return _plain_type(schema)


def _plain_type(schema: Json) -> str:
    match schema:
        case {"type": "array", "items": item}:
            return f"list of {type_of(item)}"
        case {"type": "object", "additionalProperties": dict() as item}:
            return f"object of {type_of(item)}"
        case {"format": "binary"}:
            return "bytes"
        case {"type": name}:
            return escape(", ".join([name, *_bounds(schema)]))
        case _:
            return "any JSON"


def _bounds(schema: Json) -> list[str]:
    return [
        words.format(schema[name])
        for name, words in BOUNDS
        if name in schema and abs(schema[name]) < HUGE
    ]


def example(value: Any) -> str:
    """Return an example as a block: JSON, or as it is what stands for bytes."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{escape(text)}</pre>"


def curl(method: str, path: str, operation: Json, parameters: list[Json]) -> str:
    """Return the line that makes the call of the example; ``$HUB`` and ``$TOKEN`` are the shell's.

    Args:
        method: The HTTP method in small letters.
        path: The path, with parameters in braces.
        operation: The operation object.
        parameters: Its parameters, without references.
    """
    words = ["curl", *_method(method)]
    if operation["security"]:
        words += ["-H", '"Authorization: Bearer $TOKEN"']
    for given in parameters:
        if given["in"] == "path":
            path = path.replace(f"{{{given['name']}}}", quote(str(given["example"]), safe=""))
        elif given["in"] == "header" and given.get("required"):
            words += ["-H", shlex.quote(f"{given['name']}: {given['example']}")]
    words += _body(operation.get("requestBody"))
    return " ".join([*words, f'"$HUB{path}"'])


def _method(method: str) -> list[str]:
    return {"get": [], "head": ["--head"]}.get(method, ["-X", method.upper()])


def _body(body: Json | None) -> list[str]:
    if body is None:
        return []
    ((media_type, shown),) = body["content"].items()
    words = ["-H", shlex.quote(f"Content-Type: {media_type}")]
    if shown["schema"].get("format") == "binary":
        return [*words, "--data-binary", "@FILE"]
    return [*words, "--data", shlex.quote(json.dumps(shown["example"], ensure_ascii=False))]
