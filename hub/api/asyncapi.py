"""The AsyncAPI document of what is told live: made from the structs that are sent and read."""

import re
from collections import defaultdict
from functools import cache
from inspect import cleandoc, getdoc

import msgspec

from channels.protocol.codes import Close, advice
from hub.api.asyncapi_channels import CHANNELS, CLOSES, SAID, TOLD, Channel, Kinds
from hub.api.asyncapi_examples import EXAMPLES
from hub.api.contract import Json
from hub.wire.cloudevents import ONE_TYPE, CloudEvent

VERSION = "3.0.0"
JSON_TYPE = "application/json"
SCHEMA_REF = "#/components/schemas/{name}"
MESSAGE_REF = "#/components/messages/{name}"
CODE = re.compile(r"``(.+?)``")

ABOUT = """\
What the hub tells of jobs while it happens. Messages are JSON in UTF-8. A cursor is a place in the
log of all jobs: a text to be given back as it is, on any channel; whoever gives one misses nothing.
The calls that change something are in the OpenAPI document, `/schema/openapi.json`.
"""

SERVERS: Json = {
    name: {
        "host": "{host}",
        "protocol": protocol,
        "description": note,
        "variables": {"host": {"description": "this hub", "default": "127.0.0.1:8000"}},
        "security": [{"$ref": "#/components/securitySchemes/bearer"}],
    }
    for name, protocol, note in (
        ("sockets", "ws", "`wss` where the hub is behind TLS"),
        ("http", "http", "`https` where the hub is behind TLS"),
    )
}


@cache
def document() -> Json:
    """Return the document; the same object each time, not to be changed."""
    kinds = tuple(dict.fromkeys(kind for one in CHANNELS for kind in (*one.hears, *one.tells)))
    return {
        "asyncapi": VERSION,
        "info": {"title": "Realtime job hub, live", "version": "1", "description": ABOUT},
        "defaultContentType": JSON_TYPE,
        "servers": SERVERS,
        "channels": {one.name: _channel(one) for one in CHANNELS},
        "operations": {
            name: operation for one in CHANNELS for name, operation in _operations(one).items()
        },
        "components": {
            "schemas": _schemas(kinds),
            "messages": {name_of(kind): _message(kind) for kind in kinds},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def name_of(kind: type[msgspec.Struct]) -> str:
    """Return the name of a message: its ``op`` if it has one, else that of its struct."""
    config = kind.__struct_config__
    return str(config.tag) if config.tag_field == "op" else kind.__name__


def _channel(channel: Channel) -> Json:
    names = [name_of(kind) for kind in (*channel.hears, *channel.tells)]
    found: Json = {
        "address": channel.address,
        "summary": channel.summary,
        "description": channel.description,
        "servers": [{"$ref": f"#/servers/{'sockets' if channel.is_socket else 'http'}"}],
        "messages": {name: {"$ref": MESSAGE_REF.format(name=name)} for name in names},
    }
    if "{pk}" in channel.address:
        found["parameters"] = {"pk": {"description": "number of the job", "examples": ["7"]}}
    if channel.is_socket:
        found["bindings"] = {"ws": _handshake(channel)}
        found["x-close-codes"] = [_close(code) for code in channel.closes]
    return found


def _handshake(channel: Channel) -> Json:
    headers = _object(channel.headers)
    if channel.required_headers:
        headers["required"] = list(channel.required_headers)
    query = _object(channel.query)
    return {"method": "GET", "query": query, "headers": headers, "bindingVersion": "0.1.0"}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def _close(code: Close) -> Json:
    return {
        "code": code.value,
        "name": code.name.lower(),
        "description": CLOSES[code],
        "then": advice(code).value,
    }


def _operations(channel: Channel) -> Json:
    """Return what is done on a channel, as the hub does it: it ``send``s and ``receive``s."""
    found = {f"{channel.name}Tell": _operation(channel, "send", channel.tells)}
    if channel.hears:
        found[f"{channel.name}Hear"] = _operation(channel, "receive", channel.hears)
    return found


def _operation(channel: Channel, action: str, kinds: Kinds) -> Json:
    place = f"#/channels/{channel.name}"
    found: Json = {
        "action": action,
        "channel": {"$ref": place},
        "messages": [{"$ref": f"{place}/messages/{name_of(kind)}"} for kind in kinds],
    }
    if not channel.is_socket:
        query = _object(channel.query)
        found["bindings"] = {"http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}}
    return found


def _message(kind: type[msgspec.Struct]) -> Json:
    summary = tidy(getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
    return {
        "name": name_of(kind),
        "title": kind.__name__,
        "summary": summary,
        "contentType": ONE_TYPE if kind is CloudEvent else JSON_TYPE,
        "payload": {"$ref": SCHEMA_REF.format(name=kind.__name__)},
        "examples": [{"payload": example} for example in _examples()[kind]],
    }


@cache
def _examples() -> dict[type[msgspec.Struct], list[Json]]:
    found: dict[type[msgspec.Struct], list[Json]] = defaultdict(list)
    for example in EXAMPLES:
        found[type(example)].append(msgspec.to_builtins(example))
    return found


def _schemas(kinds: Kinds) -> Json:
    _, schemas = msgspec.json.schema_components(kinds, ref_template=SCHEMA_REF)
    for schema in schemas.values():
        schema["description"] = tidy(schema.get("description", ""))
    return schemas | {
        "Said": _any_of(SAID, "What a client may say in `hub.v1`."),
        "Told": _any_of(TOLD, "What the hub may say in `hub.v1`."),
    }


def _any_of(kinds: Kinds, description: str) -> Json:
    choices = [{"$ref": SCHEMA_REF.format(name=kind.__name__)} for kind in kinds]
    return {"description": description, "oneOf": choices, "discriminator": "op"}


def tidy(text: str) -> str:
    """Return a docstring as Markdown."""
    return CODE.sub(r"`\1`", cleandoc(text))
