"""Streams of a hub in a process of its own: for plain clients, through stops and violent ends."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conformance.foreign import Client, Json, World, good, world_on
from tests.conformance.hub_process import HubProcess, StartHub, running_hub
from tests.conformance.plain_socket import head
from tests.event_source import EventSource, Message

LIMIT_S = 10.0


class Listener:
    """A browser's ear, as far as a test needs one."""

    def __init__(self, answer: httpx.Response) -> None:
        self._chunks = answer.iter_raw()
        self._waiting: list[Message] = []
        self.source = EventSource()

    def hear(self, count: int) -> list[Message]:
        """Return the next events, without bookmarks."""
        while len(self._waiting) < count:
            self._waiting += [
                message
                for message in self.source.feed(next(self._chunks))
                if message.name != "bookmark"
            ]
        found, self._waiting = self._waiting[:count], self._waiting[count:]
        return found

    def hear_the_end(self) -> None:
        """Listen until the answer is complete; one that is cut raises an error."""
        for chunk in self._chunks:
            self._waiting += self.source.feed(chunk)


@contextmanager
def listening(by: Client, hub: HubProcess, path: str, last_id: str = "") -> Iterator[Listener]:
    said = {**by.headers, "Accept": "text/event-stream"}
    said |= {"Last-Event-ID": last_id} if last_id else {}
    with (
        httpx.Client(base_url=hub.url, trust_env=False, timeout=LIMIT_S) as http,
        http.stream("GET", path, headers=said) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        yield Listener(answer)


def told(message: Message) -> Json:
    return json.loads(message.data)


def test_a_stop_ends_a_stream_and_says_when_to_come_back(start_hub: StartHub) -> None:
    with start_hub() as hub, world_on(hub) as world:
        job, node = world.running()
        with listening(world.viewer, hub, f"/v1/jobs/{job}/events") as listener:
            good(node.progress(job, 0.5))
            (message,) = listener.hear(1)
            listener.source = EventSource()
            began_s = time.monotonic()
            assert hub.stop() == 0
            assert time.monotonic() - began_s < 5.0
            listener.hear_the_end()

        assert message.name == "job.progress"
        assert listener.source.retry_ms is not None
        assert 2_000 <= listener.source.retry_ms <= 5_000
        assert hub.complaints("hub") == hub.complaints("uvicorn") == []


def test_a_listener_that_takes_nothing_does_not_hold_up_a_stop(start_hub: StartHub) -> None:
    with start_hub() as hub, world_on(hub) as world, socket.socket() as peer:
        job, node = world.running()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.connect(hub.address)
        peer.sendall(head("GET", "/v1/events/stream", world.viewer) + b"\r\n")
        for _ in range(10):
            good(node.progress(job, 0.5, {"much": "x" * 200_000}))
        began_s = time.monotonic()
        assert hub.stop() == 0
        assert time.monotonic() - began_s < 5.0
        assert hub.complaints("hub") == hub.complaints("uvicorn") == []


def test_a_place_outlives_the_hub_that_gave_it(tmp_path: Path) -> None:
    with running_hub(tmp_path, {}) as hub, world_on(hub) as world:
        job, node = world.running()
        with listening(world.viewer, hub, "/v1/events/stream?type=progress") as listener:
            good(node.progress(job, 0.25, {"step": 1}))
            listener.hear(1)
        good(node.progress(job, 0.5, {"step": 2}))
        hub.kill()
        viewer = world.viewer
    with running_hub(tmp_path, {}) as hub:
        path = "/v1/events/stream?type=progress"
        with listening(viewer, hub, path, listener.source.last_id) as listener:
            (message,) = listener.hear(1)
    assert told(message)["data"] == {"step": 2}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("more", [[], ["--http1.0"], ["-H", "accept: text/event-stream"]])
def test_curl_sees_what_happens_when_it_happens(world: World, more: list[str]) -> None:
    job, node = world.running()
    bearer = f"authorization: Bearer {world.viewer.token}"
    url = f"{world.hub.url}/v1/events/stream?type=progress&node={node.node}"
    command = ["curl", "-sN", "--max-time", str(LIMIT_S), *more, "-H", bearer, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
        try:
            assert curl.stdout is not None
            while "bookmark" not in curl.stdout.readline():
                pass
            good(node.progress(job, 0.5, {"step": 1}))
            while '"step":1' not in (said := curl.stdout.readline()):
                assert said
        finally:
            curl.kill()
