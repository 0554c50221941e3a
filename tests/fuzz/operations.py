"""The operations that a hub describes, read from its OpenAPI document."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from hub.auth.permissions import PERMISSIONS, Permission

Json = Any

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"


class Operation(NamedTuple):
    """One call.

    Attributes:
        action: Its name, a key of the table of permissions.
        method: In capitals.
        path: Parameters in braces.
        places: The parameters in the path.
        queries: The parameters in the query.
        headers: The headers that it looks at besides those of every call.
        members: Of its JSON body, each with what it takes; ``None`` where there is no such body.
        has_stream: Whether its answer may have no end.
    """

    action: str
    method: str
    path: str
    places: tuple[str, ...]
    queries: tuple[str, ...]
    headers: tuple[str, ...]
    members: tuple[str, ...] | None
    has_stream: bool

    @property
    def permission(self) -> Permission:
        """Who may."""
        return PERMISSIONS[self.action]

    @property
    def takes_json(self) -> bool:
        """Whether its body is looked at as JSON."""
        return self.members is not None


def described(document: Json) -> list[Operation]:
    """Return the operations of an OpenAPI document, by name."""
    found = [
        _operation(document, path, method.upper(), known)
        for path, methods in document["paths"].items()
        for method, known in methods.items()
    ]
    return sorted(found)


def _operation(document: Json, path: str, method: str, known: Json) -> Operation:
    parameters = [_resolved(document, parameter) for parameter in known["parameters"]]

    def named(place: str) -> tuple[str, ...]:
        return tuple(p["name"] for p in parameters if p["in"] == place)

    schema = _schema_of_body(known)
    members = None if schema is None else tuple(dict.fromkeys(_members(document, schema)))
    headers = tuple(name for name in named("header") if name != "Node-Id")
    action = known["operationId"]
    forms = known["responses"].get("200", {}).get("content", {})
    has_stream = STREAM_TYPE in forms
    return Operation(
        action, method, path, named("path"), named("query"), headers, members, has_stream
    )


def _schema_of_body(known: Json) -> Json | None:
    content = known.get("requestBody", {}).get("content", {})
    return content.get(JSON_TYPE, {}).get("schema")


def _resolved(document: Json, node: Json) -> Json:
    while "$ref" in node:
        reference = node["$ref"].removeprefix("#/").split("/")
        node = document
        for step in reference:
            node = node[step]
    return node


def _members(document: Json, schema: Json) -> Iterator[str]:
    schema = _resolved(document, schema)
    yield from schema.get("properties", ())
    for part in schema.get("allOf", ()):
        yield from _members(document, part)


def with_member(body: Json, member: str, value: bytes) -> bytes:
    """Return the JSON of ``body`` with one member written as ``value``, which may be no JSON."""
    others = {name: json.dumps(other).encode() for name, other in body.items() if name != member}
    pairs = {**others, member: value}
    return b"{" + b", ".join(json.dumps(k).encode() + b": " + v for k, v in pairs.items()) + b"}"
