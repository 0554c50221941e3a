"""The description of what is told live is complete, true, and made of what is sent and read."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import jsonschema_rs
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute

from channels.protocol.codes import Close
from channels.protocol.frames import Said, Told
from hub.api.asyncapi import document, name_of, tidy
from hub.api.asyncapi_channels import CHANNELS, CLOSES
from hub.api.asyncapi_examples import EXAMPLES
from hub.api.examples import MESSAGE
from hub.app import create_app
from hub.lifecycle.states import SHOWN_AS
from hub.settings import load
from hub.wire.plain_messages import PlainMessage, ShownTransition
from hub.wire.stream_lines import Line
from tests.frame_schemas import strict_schemas, validator_of

Json = dict[str, Any]

COMING: set[str] = set()
"""Described already, and no route yet."""

MEMBERS = {
    "document": "asyncapi id info servers defaultContentType channels operations components",
    "info": "title version description termsOfService contact license tags externalDocs",
    "server": "host protocol protocolVersion pathname description title summary variables security"
    " tags externalDocs bindings",
    "channel": "address messages title summary description servers parameters tags externalDocs"
    " bindings",
    "operation": "action channel title summary description security tags externalDocs bindings"
    " traits messages reply",
    "message": "headers payload correlationId contentType name title summary description tags"
    " externalDocs bindings examples traits",
    "ws": "method query headers bindingVersion",
    "http": "method query bindingVersion",
}
"""What AsyncAPI 3.0 lets each of its objects have, besides members that begin with ``x-``."""


# --- What a complete description is ---------------------------------------------------------------


def offences(described: Json) -> list[str]:
    """Return what is missing, wrong or unknown to the standard."""
    lost = [one for one in references(described) if not found(described, one)]
    if lost:
        return [f"nothing is at {one}" for one in lost]
    return [
        *wrong_with_members(described),
        *wrong_with_names(described),
        *wrong_with_operations(described),
        *wrong_with_ops(described),
        *wrong_with_examples(described),
        *wrong_with_texts(described, "#"),
    ]


def found(described: Json, reference: str) -> bool:
    place: Any = described
    for step in reference.removeprefix("#/").split("/"):
        if not isinstance(place, dict) or step not in place:
            return False
        place = place[step]
    return True


def references(node: Any) -> Iterator[str]:
    """Return all references; examples and defaults are values, not parts of the document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for name, part in node.items():
            if name not in {"examples", "default", "enum"}:
                yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def objects(described: Json) -> Iterator[tuple[str, Json]]:
    """Return the parts of the document that ``MEMBERS`` knows, each with its kind."""
    yield "document", described
    yield "info", described["info"]
    for server in described["servers"].values():
        yield "server", server
    for channel in described["channels"].values():
        yield "channel", channel
        if "bindings" in channel:
            yield "ws", channel["bindings"]["ws"]
    for operation in described["operations"].values():
        yield "operation", operation
        if "bindings" in operation:
            yield "http", operation["bindings"]["http"]
    for message in described["components"]["messages"].values():
        yield "message", message


def wrong_with_members(described: Json) -> Iterator[str]:
    for kind, part in objects(described):
        for name in part:
            if name not in MEMBERS[kind].split() and not name.startswith("x-"):
                yield f"a {kind} has no {name}"


def wrong_with_names(described: Json) -> Iterator[str]:
    if described.get("asyncapi") != "3.0.0":
        yield "is not of version 3.0.0"
    for name in [*described["channels"], *described["operations"]]:
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            yield f"{name!r} is no name"
    for name, channel in described["channels"].items():
        if set(re.findall(r"{(\w+)}", channel["address"])) != set(channel.get("parameters", {})):
            yield f"{name} does not declare exactly the parameters of its address"


def wrong_with_operations(described: Json) -> Iterator[str]:
    """An operation may only name messages of its own channel, and each of these is in one."""
    named = set()
    for name, operation in described["operations"].items():
        place = operation["channel"]["$ref"]
        if operation["action"] not in {"send", "receive"}:
            yield f"{name} does neither send nor receive"
        for message in operation["messages"]:
            named.add(message["$ref"])
            if not message["$ref"].startswith(f"{place}/messages/"):
                yield f"{name} names a message of another channel"
    for name, channel in described["channels"].items():
        for message in channel["messages"]:
            if f"#/channels/{name}/messages/{message}" not in named:
                yield f"{name} has {message} that nobody sends"


def wrong_with_ops(described: Json) -> Iterator[str]:
    """Each struct of the vocabulary is a message and a schema, and stands in its union."""
    schemas, messages = described["components"]["schemas"], described["components"]["messages"]
    for union, kinds in (("Said", get_args(Said)), ("Told", get_args(Told))):
        choices = [choice["$ref"].rpartition("/")[2] for choice in schemas[union]["oneOf"]]
        if choices != [kind.__name__ for kind in kinds]:
            yield f"{union} does not list its kinds"
        for kind in kinds:
            op = kind.__struct_config__.tag
            message = messages.get(op, {})
            if message.get("payload") != {"$ref": f"#/components/schemas/{kind.__name__}"}:
                yield f"there is no message {op}"
            if schemas.get(kind.__name__, {})["properties"]["op"] != {"enum": [op]}:
                yield f"{kind.__name__} is not told by its op"


def wrong_with_examples(described: Json) -> Iterator[str]:
    schemas = strict_schemas(described)
    for name, message in described["components"]["messages"].items():
        validator = validator_of(schemas, [message["payload"]["$ref"].rpartition("/")[2]])
        if not message["examples"]:
            yield f"{name} has no example"
        for example in message["examples"]:
            if not validator.is_valid(example["payload"]):
                yield f"an example of {name} is none"


def wrong_with_texts(node: Any, where: str) -> Iterator[str]:
    if isinstance(node, dict):
        for name, part in node.items():
            if name in {"description", "summary"} and isinstance(part, str):
                if not part or "``" in part or part != part.lstrip():
                    yield f"{where}/{name} is no tidy text"
            elif name != "examples":
                yield from wrong_with_texts(part, f"{where}/{name}")
    elif isinstance(node, list):
        for number, part in enumerate(node):
            yield from wrong_with_texts(part, f"{where}/{number}")


@pytest.fixture
def described() -> Json:
    return copy.deepcopy(document())


def test_the_description_is_complete(described: Json) -> None:
    assert offences(described) == []


Breakage = Callable[[Json], Any]
BREAKAGES: dict[str, Breakage] = {
    "nothing is at #/components/schemas/Filter": (
        lambda told: told["components"]["schemas"].pop("Filter")
    ),
    "a channel has no adress": lambda told: told["channels"]["job"].update(adress="/v1/jobs/{pk}"),
    "job does not declare exactly the parameters of its address": (
        lambda told: told["channels"]["job"].pop("parameters")
    ),
    "jobTell names a message of another channel": lambda told: told["operations"]["jobTell"][
        "messages"
    ].append({"$ref": "#/channels/stream/messages/hello"}),
    "stream has hello that nobody sends": lambda told: told["operations"]["streamTell"][
        "messages"
    ].pop(0),
    "there is no message pong": lambda told: told["components"]["messages"]["pong"].update(
        payload={"$ref": "#/components/schemas/Ping"}
    ),
    "Told does not list its kinds": (
        lambda told: told["components"]["schemas"]["Told"]["oneOf"].pop()
    ),
    "Bookmark is not told by its op": lambda told: told["components"]["schemas"]["Bookmark"][
        "properties"
    ].update(op={"type": "string"}),
    "auth has no example": lambda told: told["components"]["messages"]["auth"].update(examples=[]),
    "an example of events is none": lambda told: told["components"]["messages"]["events"][
        "examples"
    ][0]["payload"]["events"][0].update(pct=1),
    "an example of PlainMessage is none": lambda told: told["components"]["messages"][
        "PlainMessage"
    ]["examples"][0]["payload"].pop("pk"),
    "#/components/schemas/Pong/description is no tidy text": lambda told: told["components"][
        "schemas"
    ]["Pong"].update(description="``t``"),
}


@pytest.mark.parametrize("offence", BREAKAGES)
def test_what_is_missing_is_noticed(described: Json, offence: str) -> None:
    BREAKAGES[offence](described)
    assert offence in offences(described)


def test_every_schema_is_one(described: Json) -> None:
    """AsyncAPI's schema objects are those of draft 7, and more."""
    for name, schema in described["components"]["schemas"].items():
        whole = {"anyOf": [schema], "components": described["components"]}
        jsonschema_rs.Draft7Validator(whole)  # raises what is wrong with it
        assert not isinstance(schema.get("discriminator"), dict), name


# --- What a true description is -------------------------------------------------------------------


def test_every_address_is_a_route(tmp_path_factory: pytest.TempPathFactory) -> None:
    app: Litestar = create_app(load({}, data=str(tmp_path_factory.mktemp("data"))))
    paths = {
        (re.sub(r":\w+}", "}", route.path_format), isinstance(route, WebSocketRoute))
        for route in app.routes
        if isinstance(route, HTTPRoute | WebSocketRoute)
    }
    missing = {one.address for one in CHANNELS if (one.address, one.is_socket) not in paths}
    assert missing == COMING


def test_every_kind_of_message_has_an_example_that_is_read_as_it_was_written() -> None:
    kinds = {kind for one in CHANNELS for kind in (*one.hears, *one.tells)}
    assert kinds == {type(example) for example in EXAMPLES}
    for example in EXAMPLES:
        on_the_wire = msgspec.json.encode(example)
        assert msgspec.json.encode(msgspec.json.decode(on_the_wire, type=type(example))) == (
            on_the_wire
        )


def test_no_two_kinds_of_message_share_a_name() -> None:
    kinds = {kind for one in CHANNELS for kind in (*one.hears, *one.tells)}
    assert len({name_of(kind) for kind in kinds}) == len(kinds)


def test_the_streams_tell_all_their_lines() -> None:
    for one in CHANNELS:
        if not one.is_socket:
            assert set(get_args(Line)) <= set(one.tells)


def test_the_plain_messages_know_the_transitions_that_are_shown() -> None:
    assert set(SHOWN_AS.values()) == set(get_args(ShownTransition))
    assert msgspec.to_builtins(msgspec.convert(MESSAGE, PlainMessage)) == MESSAGE


def test_every_close_code_is_explained(described: Json) -> None:
    assert set(CLOSES) == set(Close)
    codes = described["channels"]["stream"]["x-close-codes"]
    assert [one["code"] for one in codes] == [code.value for code in Close]
    assert codes[0]["then"] == "stop"


def test_a_docstring_becomes_markdown() -> None:
    assert tidy("One.\n\n    ``a`` and\n    ``b c``.\n    ") == "One.\n\n`a` and\n`b c`."
