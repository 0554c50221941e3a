"""Whatever a client says on ``/v1/stream``: it is answered or ended by a code, and is no fault."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from tests.conformance.foreign import World
from tests.conformance.stream_client import LIMIT_S, Stream, streaming

CLOSES = {4000, 4003, 4004, 4009, 4101, 4110, 4208}
"""How a connection may end for what its client says."""

ERRORS = {
    *("bad_message", "bad_filter", "bad_cursor", "not_found", "rate_limited"),
    *("too_many_subs", "forbidden", "unauthenticated"),
}

TEXTS = ["", "s", "job", "jobs", "workers", "latest", "always", "v1:a:0", "me", "\ud800", "a\x00b"]
NUMBERS = [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, 1e308, -0.0, 0.5]
values = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(TEXTS) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "status": st.lists(st.sampled_from(["RUNNING", "DONE", 1]), max_size=9) | values,
        "type": st.lists(st.sampled_from(["transition", "progress", "x"]), max_size=3) | values,
        "label": st.dictionaries(st.sampled_from(TEXTS), st.sampled_from(TEXTS)) | values,
        "creator": st.lists(st.sampled_from(["me", "nobody", *NUMBERS])) | values,
        "node": st.lists(st.sampled_from(NUMBERS)) | values,
        "template": st.lists(st.sampled_from([*NUMBERS, *TEXTS])) | values,
        "parent": st.lists(st.sampled_from(NUMBERS)) | values,
        "more": values,
    },
)
subscribes = st.fixed_dictionaries(
    {"op": st.just("subscribe"), "id": st.sampled_from(["s", "t", "x" * 65, "s\n", 1])},
    optional={
        "topic": st.sampled_from(["job", "jobs", "workers"]) | values,
        "jobs": st.lists(st.sampled_from(NUMBERS), max_size=3) | values,
        "filter": filters | values,
        "progress": st.sampled_from(["latest", "all", "none"]) | values,
        "snapshot": st.sampled_from(["auto", "always", "never"]) | values,
        "cursor": st.sampled_from(["v1:a:0", "v1:a:99999999999999999999", "v2:a:1"]) | values,
        "more": values,
    },
)
GOOD_NUMBERS = [1, 2, 2**31, 2**53 + 1, 2**63 - 1]
GOOD_TEXTS = ["me", "nobody", "x" * 200, "\x00", "\u2028", "Ä"]
well_formed = st.fixed_dictionaries(
    {
        "op": st.just("subscribe"),
        "id": st.sampled_from(["s", "t", "x" * 64]),
        "topic": st.sampled_from(["job", "jobs", "workers"]),
    },
    optional={
        "jobs": st.lists(st.sampled_from(GOOD_NUMBERS), max_size=3),
        "filter": st.fixed_dictionaries(
            {},
            optional={
                "status": st.lists(st.sampled_from(["RUNNING", "FAILED"]), max_size=3),
                "type": st.lists(st.sampled_from(["transition", "progress"]), max_size=2),
                "label": st.dictionaries(st.sampled_from(GOOD_TEXTS), st.sampled_from(GOOD_TEXTS)),
                "creator": st.lists(st.sampled_from([*GOOD_NUMBERS, *GOOD_TEXTS]), max_size=3),
                "node": st.lists(st.sampled_from(GOOD_NUMBERS), max_size=3),
                "template": st.lists(st.sampled_from([*GOOD_NUMBERS, *GOOD_TEXTS]), max_size=3),
                "parent": st.lists(st.sampled_from(GOOD_NUMBERS), max_size=3),
            },
        ),
        "progress": st.sampled_from(["latest", "all", "none"]),
        "snapshot": st.sampled_from(["auto", "always", "never"]),
        "cursor": st.sampled_from(["v1:a:0", f"v1:a:{2**63 - 1}", f"v1:a:{2**63}", "v2:a:1", ""]),
    },
)
"""What can be read, though it may ask for nothing that there is. What cannot ends a connection."""

others = st.fixed_dictionaries(
    {"op": st.sampled_from(["ping", "auth", "unsubscribe", "hello", "events", ""])},
    optional={"id": values, "t": values, "token": values},
)
messages = st.one_of(
    (subscribes | others | values).map(lambda value: json.dumps(value)),
    subscribes.map(lambda value: json.dumps(value)[:-2]),
    st.sampled_from(["", "{", "[" * 9_000, "NaN", '{"op":NaN}', '{"op":"ping","t":1e999}']),
    st.just('{"op":"ping","op":"auth"}'),
    st.integers(16_000, 17_000).map(lambda size: json.dumps({"op": "ping", "t": "x" * size})),
    st.binary(max_size=50),
)


@settings(
    max_examples=120,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(said=st.lists(well_formed, max_size=4), last=messages)
def test_nothing_that_is_said_is_a_fault_of_the_hub(
    world: World, said: list[Any], last: str | bytes
) -> None:
    with streaming(world) as stream:
        code = _conversed(stream, [*map(json.dumps, said), last])
    assert code is None or code in CLOSES, (code, said, last)
    assert world.hub.complaints("") == []


def _conversed(stream: Stream, said: list[str | bytes]) -> int | None:
    """Say all of it; return the code it was closed with, ``None`` if it was not."""
    try:
        for message in said:
            if isinstance(message, str):
                message = message.encode("utf-8", "replace").decode()
            stream.connection.send(message)
        stream.say(op="ping", t=4_711)
        while (heard := stream.hear()) != heard | {"op": "pong", "t": 4_711}:
            _check(heard)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0
    return None


def _check(heard: dict[str, Any]) -> None:
    assert heard["op"] != "error" or heard["code"] in ERRORS, heard


def test_the_hub_still_works_after_that(world: World) -> None:
    with streaming(world) as stream:
        assert stream.subscribe("s", snapshot="never")["mode"] == "live"
        stream.say(op="ping", t=1)
        assert stream.hear(LIMIT_S)["op"] == "pong"
