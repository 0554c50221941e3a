"""One call in the OpenAPI document: what Litestar knows of it, completed from tables."""

from inspect import cleandoc
from typing import Any

import msgspec

from hub.api import contract
from hub.api.contract import ONLY_STREAMED, REQUESTS, STREAMED, Body, Json
from hub.api.downloads import MEDIA_TYPE as BYTES_TYPE
from hub.api.error_responses import reference
from hub.api.example import Example
from hub.api.examples import EXAMPLES, STREAM_EXAMPLES
from hub.auth.permissions import NOBODY_CREATES, PERMISSIONS, Permission
from hub.wire.events import EventPage
from hub.wire.health import Health
from hub.wire.jobs import JobOut, JobPage

REF = "#/components/schemas/{name}"
JSON_TYPE = "application/json"
BINARY: Json = {"type": "string", "format": "binary"}

NODE_ID: Json = {
    "name": "Node-Id",
    "in": "header",
    "description": "number of the node that calls, one that the account registered",
    "schema": contract.PATH_PARAMETERS["pk"]["schema"],
    "example": 3,
}
PARAMETERS = {
    "NodeId": {**NODE_ID, "required": False},
    "RequiredNodeId": {**NODE_ID, "required": True},
}
"""What operations refer to by name."""


def is_json(kind: Any) -> bool:
    """Whether a body of this kind is JSON: neither bytes nor nothing."""
    return kind is not None and kind is not bytes


class Types:
    """JSON schemas of ``kinds``; ``components`` are those of structs, by name."""

    def __init__(self, kinds: list[Any]) -> None:
        second = [kind for _, _, choices in contract.MEMBER_TYPES for kind in choices]
        known = [kind for kind in dict.fromkeys([*kinds, *second]) if is_json(kind)]
        schemas, self.components = msgspec.json.schema_components(known, ref_template=REF)
        self._schemas = dict(zip(known, schemas, strict=True))
        for schema in self.components.values():
            schema["description"] = cleandoc(schema.get("description", ""))
        for struct, texts in contract.TEXTS:
            for name, most in texts.items():
                _text(self._member(struct, name)).update(minLength=1, maxLength=most)
        for owner, name, choices in contract.MEMBER_TYPES:
            self._settle(self._member(owner, name), [self.schema(kind) for kind in choices])

    def _member(self, struct: type[msgspec.Struct], name: str) -> Json:
        member: Json = self.components[struct.__name__]["properties"][name]
        return member

    def _settle(self, member: Json, choices: list[Json]) -> None:
        """Make a member one of ``choices``, or null if it may be null now."""
        if {"type": "null"} in member.get("anyOf", ()):
            choices = [*choices, {"type": "null"}]
        for loose in ("type", "additionalProperties", "anyOf"):
            member.pop(loose, None)
        member["anyOf"] = choices

    def schema(self, kind: Any) -> Json:
        """Return the schema of one of the kinds."""
        return self._schemas[kind] if is_json(kind) else BINARY

    def schema_of_body(self, body: Body) -> Json:
        """Return the schema of a request body, with what its route asks for beyond its type."""
        schema = self.schema(body.kind)
        return {"allOf": [schema], "required": list(body.required)} if body.required else schema


def _text(member: Json) -> Json:
    """Return the part of a member's schema that is about texts; it may allow null, too."""
    choices: list[Json] = member.get("anyOf", [member])
    return next(choice for choice in choices if choice["type"] == "string")


class Operation:
    """One call.

    Args:
        path: Its path, parameters in braces.
        method: The HTTP method in small letters.
        known: What Litestar says.
        kind: What the answer holds: a type, ``bytes``, or ``None`` for no body.
        types: The schemas of all types.
    """

    def __init__(self, path: str, method: str, known: Json, kind: Any, types: Types) -> None:
        self._path = path
        self._method = method
        self._known = known
        self._kind = kind
        self._types = types
        self._action: str = known["operationId"]
        self._permission: Permission = PERMISSIONS[self._action]
        self._body = REQUESTS.get(self._action)
        self._example = EXAMPLES.get(self._action, Example())

    def described(self) -> Json:
        """Return the operation object."""
        text: str = self._known["description"]
        found: Json = {
            "operationId": self._action,
            "tags": self._known["tags"],
            "summary": text.splitlines()[0].split(". ")[0].rstrip("."),
            "description": f"{text}\n\nWho may: {self._permission.sentence}",
            "security": [{"bearer": []}, {"cookie": []}] if self._permission.roles else [],
            "parameters": self._parameters(),
            "responses": self._responses(),
        }
        if self._body:
            found["requestBody"] = self._request_body(self._body)
        return found

    def _parameters(self) -> list[Json]:
        found = [_parameter(raw) for raw in self._known.get("parameters", [])]
        found += contract.FURTHER_PARAMETERS.get(self._action, ())
        if self._permission.roles:
            name = "RequiredNodeId" if self._permission.needs_node else "NodeId"
            found.append({"$ref": f"#/components/parameters/{name}"})
        return found

    def _request_body(self, body: Body) -> Json:
        media_type = JSON_TYPE if is_json(body.kind) else BYTES_TYPE
        shown = {"schema": self._types.schema_of_body(body), "example": self._example.request}
        is_needed = is_json(body.kind) and (bool(body.required) or not _takes_nothing(body.kind))
        return {"required": is_needed, "content": {media_type: shown}}

    def _responses(self) -> Json:
        failures = {str(status): reference(status) for status in self._failures()}
        return dict(sorted((failures | self._successes() | {"default": reference(None)}).items()))

    def _failures(self) -> set[int]:
        """Return the statuses of the problems that this call is known to answer."""
        needs_account = bool(self._permission.roles)
        derived = {
            400: needs_account or self._body is not None,
            401: needs_account or self._action.startswith("auth_"),
            403: needs_account,
            404: "{pk}" in self._path or "{who}" in self._path,
            413: self._body is not None,
            415: self._body is not None and is_json(self._body.kind),
            503: True,
        }
        own = {status for status, actions in contract.REFUSALS.items() if self._action in actions}
        return own | {status for status, happens in derived.items() if happens}

    def _successes(self) -> Json:
        if self._permission is NOBODY_CREATES:
            return {}
        (status,) = (code for code in self._known["responses"] if code.startswith("2"))
        found = {status: self._success("Done." if self._kind else "Done; there is no body.")}
        if self._kind is Health:
            found["503"] = self._success("It does not; ``problems`` says why.")
        if self._action in contract.CONDITIONAL:
            found["304"] = {"description": "The client has these bytes already."}
        if self._action in contract.REFUSALS[416]:
            found["206"] = self._success("The range that was asked for.")
        return found

    def _success(self, note: str) -> Json:
        found: Json = {"description": note, "headers": self._headers()}
        if self._kind is not None and self._method != "head":
            found["content"] = self._content() | self._other_form() | self._streams()
        return found

    def _content(self) -> Json:
        if self._action == ONLY_STREAMED:
            return {}
        media_type = JSON_TYPE if is_json(self._kind) else BYTES_TYPE
        shown = {"schema": self._types.schema(self._kind), "example": self._example.answer()}
        return {media_type: shown}

    def _other_form(self) -> Json:
        if self._action not in contract.OTHER_FORMS:
            return {}
        media_type, kind = contract.OTHER_FORMS[self._action]
        example = msgspec.to_builtins(self._example.other)
        return {media_type: {"schema": self._types.schema(kind), "example": example}}

    def _streams(self) -> Json:
        if self._action not in STREAMED:
            return {}
        return {
            media_type: {"schema": {"type": "string"}, "example": example}
            for media_type, example in STREAM_EXAMPLES.items()
        }

    def _headers(self) -> Json:
        notes = {}
        if self._kind in (JobOut, JobPage, EventPage) or self._action in contract.CHANGES_OUTPUTS:
            notes["X-Hub-Cursor"] = "place in the log that this answer shows"
        if self._kind is EventPage:
            notes["X-Hub-Head"] = "where the log ends now"
        if self._body is contract.FILTER:
            notes["X-Hub-Truncated"] = "``true`` if there are more than the hub lists"
        if self._kind is bytes:
            notes |= {"Content-Disposition": "the name to save it under", "ETag": "its entity tag"}
        return {
            name: {"description": note, "schema": {"type": "string"}}
            for name, note in notes.items()
        }


def _parameter(raw: Json) -> Json:
    """Return a parameter of a path or a query; none can be null, it would be absent."""
    found = {"name": raw["name"], "in": raw["in"], "required": raw["required"]}
    if raw["in"] == "path":
        return found | contract.PATH_PARAMETERS[raw["name"]]
    schema = {name: value for name, value in raw["schema"].items() if name != "description"}
    for choice in schema.pop("oneOf", []):
        schema |= choice if choice != {"type": "null"} else {}
    note = raw.get("description") or contract.QUERY_NOTES.get(raw["name"], "")
    return found | {"description": note, "schema": schema}


def _takes_nothing(kind: Any) -> bool:
    """Whether an empty body, which counts as ``{}``, is of this kind."""
    try:
        msgspec.json.decode(b"{}", type=kind)
    except msgspec.ValidationError:
        return False
    return True
