"""Whether what is said live is what the AsyncAPI document says may be said.

A client of a test reads each message through ``told``, and so proves with every test it is used in
that the document is true. Members that the document does not know are refused here, although a
client of the hub has to bear them: here they are a document that was forgotten.
"""

import copy
import json
from collections.abc import Iterable
from functools import cache
from typing import Any, NoReturn

import jsonschema_rs

from hub.api.asyncapi import document

Json = Any

STREAM, PLAIN, JOB_LIVE = "stream", "job", "jobLive"
EVENTS, JOB_EVENTS = "events", "jobEvents"
"""The channels of the document: sockets, and streams over HTTP."""


class BadMessage(AssertionError):
    """This message is not in the document."""


def told(text: str | bytes, channel: str = PLAIN) -> Json:
    """Return a message of the hub, read.

    Raises:
        BadMessage: the hub may not say that on ``channel``.
    """
    return _checked(text, channel, "send")


def said(text: str | bytes, channel: str = STREAM) -> Json:
    """Return a message of a client, read.

    Raises:
        BadMessage: a client may not say that on ``channel``.
    """
    return _checked(text, channel, "receive")


def _checked(text: str | bytes, channel: str, action: str) -> Json:
    try:
        message = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise BadMessage(f"no JSON: {error}: {text[:200]!r}") from error
    op = message.get("op") if isinstance(message, dict) else None
    validators = _validators(channel, action)
    validator = validators.get(op) if isinstance(op, str) else None
    fault = next((validator or validators[None]).iter_errors(message), None)
    if fault is not None:
        place = "/".join(map(str, fault.instance_path))
        raise BadMessage(f"{channel}: /{place}: {fault.message[:500]} in {text[:500]!r}")
    return message


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


@cache
def _validators(channel: str, action: str) -> dict[str | None, jsonschema_rs.Draft7Validator]:
    """Return what checks the messages of each ``op``, and with ``None`` what checks any."""
    described = document()
    schemas = strict_schemas(described)
    kinds = {
        name: described["components"]["messages"][name]["payload"]["$ref"].rpartition("/")[2]
        for operation in described["operations"].values()
        if operation["action"] == action and operation["channel"]["$ref"] == f"#/channels/{channel}"
        for name in (message["$ref"].rpartition("/")[2] for message in operation["messages"])
    }
    any_of_them = {None: validator_of(schemas, kinds.values())}
    return any_of_them | {name: validator_of(schemas, [kind]) for name, kind in kinds.items()}


def strict_schemas(described: Json) -> Json:
    """Return the document's schemas, where objects have no members but those that are named."""
    schemas = copy.deepcopy(described["components"]["schemas"])
    for schema in schemas.values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return schemas


def validator_of(schemas: Json, kinds: Iterable[str]) -> jsonschema_rs.Draft7Validator:
    """Return what checks that a value is of one of these schemas."""
    choices = [{"$ref": f"#/components/schemas/{kind}"} for kind in kinds]
    # Of several it could only be said that it is none of them.
    rule = "anyOf" if len(choices) > 1 else "allOf"
    return jsonschema_rs.Draft7Validator({rule: choices, "components": {"schemas": schemas}})
