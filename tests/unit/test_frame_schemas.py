"""The tests' sockets refuse what the document of live messages does not have."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from websockets.sync.client import ClientConnection

from channels.conflation import Told
from channels.encoding import events_frame
from channels.events import Event
from channels.selections import Mark
from hub.api.asyncapi import document
from tests.bench.frames import text_frame
from tests.bench.watchers import Audience, Watcher
from tests.compat.browser_client import JobView
from tests.conformance import test_socket
from tests.frame_schemas import EVENTS, JOB_LIVE, PLAIN, STREAM, BadMessage, said, told

Json = dict[str, Any]


def example(name: str) -> Json:
    found: Json = document()["components"]["messages"][name]["examples"][0]["payload"]
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # a copy of an object


def without(name: str) -> Callable[[Json], Any]:
    return lambda message: message.pop(name)


def with_(**members: Any) -> Callable[[Json], Any]:
    return lambda message: message.update(members)


@pytest.mark.parametrize("channel", [STREAM, JOB_LIVE])
@pytest.mark.parametrize("name", ["hello", "events", "snapshot", "bookmark", "error", "pong"])
def test_what_the_hub_may_say_is_read(channel: str, name: str) -> None:
    assert told(json.dumps(example(name)), channel) == example(name)


@pytest.mark.parametrize("name", ["auth", "subscribe", "unsubscribe", "ping"])
def test_what_a_client_may_say_is_read(name: str) -> None:
    assert said(json.dumps(example(name))) == example(name)
    with pytest.raises(BadMessage):
        told(json.dumps(example(name)), STREAM)


PLAIN_FAULTS: dict[str, Callable[[Json], Any]] = {
    "a member more": with_(extra=1),
    "a member less": without("cancelled"),
    "no data": without("transition_data"),
    "an unknown transition": with_(transition="nap"),
    "a text for a number": with_(pk="7"),
    "a fraction for a number": with_(pk=7.5),
    "null for nobody": with_(node=None),
    "too much progress": with_(progress=1.5),
    "data that is no object": with_(transition_data=[]),
    "an event before the first": with_(seq=0),
    "an op": with_(op="hello"),
}


@pytest.mark.parametrize("fault", PLAIN_FAULTS)
def test_a_wrong_plain_message_is_refused(fault: str) -> None:
    message = example("PlainMessage")
    assert told(json.dumps(message)) == message
    PLAIN_FAULTS[fault](message)
    with pytest.raises(BadMessage, match=r"^job: "):
        told(json.dumps(message))


FRAME_FAULTS: dict[str, Callable[[Json], Any]] = {
    "an op that there is not": with_(op="hallo"),
    "no op": without("op"),
    "the op of another message": with_(op="bookmark"),
    "no chain": without("from"),
    "an event with a member more": lambda frame: frame["events"][0].update(pct=1),
    "an event with a member less": lambda frame: frame["events"][0].pop("skip"),
    "an event of no type": lambda frame: frame["events"][0].update(type="job.nap"),
}


@pytest.mark.parametrize("fault", FRAME_FAULTS)
def test_a_wrong_message_of_the_protocol_is_refused(fault: str) -> None:
    message = example("events")
    assert told(json.dumps(message), STREAM) == message
    FRAME_FAULTS[fault](message)
    with pytest.raises(BadMessage):
        told(json.dumps(message), STREAM)


def test_events_that_are_put_together_by_bytes_are_in_the_document() -> None:
    event = Event(
        gseq=945,
        job=7,
        seq=6,
        tseq=3,
        kind="p",
        type="progress",
        time_us=0,
        from_status="RUNNING",
        to_status="RUNNING",
        attempt=1,
        node=None,
        progress=0.25,
        data=b'{"skip":0,"op":"hello"}',
    )
    for mark in (Mark(), Mark(entered=True), Mark(left=True)):
        text = events_frame("s7", "k3p9", 940, 945, [Told(event, mark, 2)])
        assert told(text, STREAM)["events"][0]["skip"] == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"x"', '{"op": {}}', '{"a": NaN}'])
def test_what_is_no_object_at_all_is_refused(text: str) -> None:
    for channel in (PLAIN, STREAM, EVENTS):
        with pytest.raises(BadMessage):
            told(text, channel)


def test_streams_tell_lines_and_no_frames() -> None:
    for name in ("EventLine", "BookmarkLine", "ResetLine", "SnapshotLine", "CloudEvent"):
        assert told(json.dumps(example(name)), EVENTS)
    with pytest.raises(BadMessage):
        told(json.dumps(example("bookmark")), EVENTS)


# --- The clients that read through it -------------------------------------------------------------


class Connection:
    """A connection over which one text comes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def recv(self, timeout: float) -> str:
        del timeout
        return self._text


def read_by_a_page(text: str) -> Any:
    return JobView(cast(ClientConnection, Connection(text))).next()


def read_by_a_watcher(text: str) -> Any:
    return test_socket.Watcher(cast(ClientConnection, Connection(text))).message()


@pytest.mark.parametrize("read", [read_by_a_page, read_by_a_watcher])
def test_a_client_of_the_tests_refuses_a_wrong_message(read: Callable[[str], Any]) -> None:
    message = example("PlainMessage")
    assert read(json.dumps(message)) == message
    with pytest.raises(BadMessage):
        read(json.dumps(message | {"extra": 1}))


async def test_an_audience_of_the_tests_refuses_a_wrong_message() -> None:
    watcher = Watcher(Audience(look=told), b"")
    watcher.accepted.set_result(None)
    message = example("PlainMessage")
    watcher.data_received(text_frame(json.dumps(message).encode()))
    with pytest.raises(BadMessage):
        watcher.data_received(text_frame(json.dumps(message | {"extra": 1}).encode()))
