"""One `hub.v1` socket in a test: it says and hears messages one by one, and checks the chain."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.chain import Chain
from tests.conformance.foreign import Client, Json, World
from tests.frame_schemas import JOB_LIVE, STREAM, told

LIMIT_S = 5.0
HUB_V1 = Subprotocol("hub.v1")


class Stream:
    """An open socket; every frame of a subscription must begin where the one before it ended."""

    def __init__(self, connection: ClientConnection, channel: str = STREAM) -> None:
        self.connection = connection
        self._channel = channel
        self.hello: Json = None
        self._chain = Chain()

    def say(self, **message: Json) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def hear(self, limit_s: float = LIMIT_S) -> Json:
        """Return the next message."""
        message = told(self.connection.recv(timeout=limit_s), self._channel)
        self._chain.follow(message)
        return message

    def hear_of(self, name: str, op: str) -> Json:
        """Return the next such message of a subscription, passing over those of others."""
        while True:
            message = self.hear()
            if message.get("id") == name and message["op"] == op:
                return message
            assert message.get("id") != name or message["op"] == "bookmark", message

    def subscribe(self, name: str, topic: str = "jobs", **wish: Json) -> Json:
        """Begin a subscription and return the answer."""
        self.say(op="subscribe", id=name, topic=topic, **wish)
        return self.hear_of(name, "subscribed")

    def snapshot(self, name: str) -> list[Json]:
        """Return the jobs of a snapshot, all its parts together."""
        rows: list[Json] = []
        number, is_last = 0, False
        while not is_last:
            part = self.hear_of(name, "snapshot")
            number += 1
            assert part["part"] == number
            rows += part["jobs"]
            is_last = part["last"]
        return rows

    def events(self, name: str, count: int) -> list[Json]:
        """Return the next events of a subscription, which are exactly so many."""
        found: list[Json] = []
        while len(found) < count:
            found += self.hear_of(name, "events")["events"]
        assert len(found) == count, found
        return found

    def names(self, name: str, count: int) -> list[str]:
        """Return the transitions of the next events."""
        return [event["transition"] for event in self.events(name, count)]

    def refusal(self, **message: Json) -> Json:
        """Send a message that is refused, and return why."""
        self.say(**message)
        return self.hear_error()

    def hear_error(self) -> Json:
        """Return the next message, which is an error."""
        message = self.hear()
        assert message["op"] == "error", message
        return message

    def close_code(self) -> int | None:
        """Return the code with which the hub closes after what it still says."""
        with pytest.raises(ConnectionClosed) as caught:
            self._hear_to_the_end()
        return caught.value.rcvd.code if caught.value.rcvd else None

    def _hear_to_the_end(self) -> None:
        while True:
            self.connection.recv(timeout=LIMIT_S)

    def place(self, name: str) -> str:
        """Return up to where a subscription was told everything."""
        return self._chain.places[name]


@contextmanager
def streaming(
    world: World, path: str = "/v1/stream", *, by: Client | None = None
) -> Iterator[Stream]:
    """Open a `hub.v1` socket, by default as the viewer, and hear its hello."""
    with connect(
        f"{world.hub.socket_url}{path}",
        additional_headers=(by or world.viewer).headers,
        subprotocols=[HUB_V1],
        proxy=None,
        open_timeout=LIMIT_S,
    ) as connection:
        assert connection.subprotocol == HUB_V1
        stream = Stream(connection, STREAM if path.startswith("/v1/stream") else JOB_LIVE)
        stream.hello = stream.hear()
        assert stream.hello["op"] == "hello"
        yield stream
