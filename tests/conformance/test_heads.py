"""What one connection may make the hub keep before it has said what it wants: bytes, and time."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from websockets.sync.client import connect

from tests.conformance.foreign import World, world_on
from tests.conformance.hub_process import running_hub

LIVE = b"GET /health/live HTTP/1.1\r\nHost: hub\r\n"
END = b"\r\n"
LIMIT_S = 10.0
SLACK_S = 5.0
FLOOD_BYTES = 64 * 2**20


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_hub(tmp_path_factory.mktemp("heads"), {}) as hub, world_on(hub) as world:
        yield world
        assert hub.stop() == 0
        assert hub.complaints() == []


def opened(world: World, *said: bytes) -> socket.socket:
    peer = socket.create_connection(world.hub.address, LIMIT_S + SLACK_S)
    for part in said:
        peer.sendall(part)
    return peer


def heard(peer: socket.socket) -> bytes:
    """Return all that the hub says until it hangs up."""
    parts: list[bytes] = []
    with suppress(ConnectionError):
        while part := peer.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def heard_until(peer: socket.socket, text: bytes, times: int = 1) -> bytes:
    said = b""
    while said.count(text) < times:
        part = peer.recv(65_536)
        assert part, said
        said += part
    return said


def bytes_taken(peer: socket.socket) -> int:
    """Send one endless line; return how much of it was sent before the hub hung up."""
    taken = 0
    with suppress(ConnectionError):
        while taken < FLOOD_BYTES:
            taken += peer.send(b"x" * 65_536)
    return taken


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        LIVE + b"X: ",
        LIVE + END + LIVE + b"X: ",
        b"POST /v1/auth/obtain HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        b"POST /v1/auth/obtain HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    ],
    ids=["path", "header", "second header", "header behind a body", "extension of a chunk"],
)
def test_what_never_ends_is_cut_off(world: World, begun: bytes) -> None:
    with opened(world, begun) as peer:
        # What the system itself holds between the two ends counts as taken.
        assert bytes_taken(peer) < FLOOD_BYTES / 2


@pytest.mark.parametrize("end", [b"", END + END], ids=["unfinished", "whole"])
def test_a_head_of_more_than_64_kib_is_refused_with_431(world: World, end: bytes) -> None:
    with opened(world, LIVE + b"X: " + b"x" * 65_536 + end) as peer:
        assert heard(peer).startswith(b"HTTP/1.1 431 ")


def test_a_long_head_below_the_limit_is_read(world: World) -> None:
    with opened(world, LIVE + b"Connection: close\r\nX: " + b"x" * 65_000 + END + END) as peer:
        assert heard(peer).startswith(b"HTTP/1.1 200 ")


def test_requests_in_one_write_are_all_answered(world: World) -> None:
    body = b'{"username": "' + b"x" * 150_000 + b'", "password": "x"}'
    typed = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    post = b"POST /v1/auth/obtain HTTP/1.1\r\nHost: hub\r\n" + typed + body
    with opened(world, LIVE + END + post + (LIVE + END) * 3) as peer:
        said = heard_until(peer, b"HTTP/1.1 ", 5)
    assert said.count(b"HTTP/1.1 200 ") == 4
    assert b"HTTP/1.1 431 " not in said


def test_a_connection_is_used_again_and_again(world: World) -> None:
    with opened(world) as peer:
        for _ in range(20):
            peer.sendall(LIVE)
            peer.sendall(END)
            assert heard_until(peer, b"}").startswith(b"HTTP/1.1 200 ")


def test_whoever_does_not_finish_a_head_is_cut_off_and_nobody_else(world: World) -> None:
    slow_body = b"POST /v1/auth/obtain HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n"
    with ExitStack() as stack:
        tardy = [
            stack.enter_context(opened(world, *said))
            for said in ([], [b"GET"], [LIVE], [b"\r\n"], [LIVE + END + LIVE])
        ]
        again = stack.enter_context(opened(world, LIVE + END))
        heard_until(again, b"}")
        again.sendall(LIVE)
        tardy.append(again)
        idle = stack.enter_context(opened(world, LIVE + END))
        heard_until(idle, b"}")
        uploading = stack.enter_context(opened(world, slow_body + END + b"{"))
        url = f"{world.hub.socket_url}/v1/jobs/{world.new_job()}"
        watcher = stack.enter_context(
            connect(url, additional_headers=world.viewer.headers, proxy=None)
        )
        began_s = time.monotonic()
        for peer in tardy[:4]:
            assert heard(peer) == b""
        assert time.monotonic() - began_s < LIMIT_S + SLACK_S
        heard(again)
        assert watcher.ping().wait(SLACK_S)
        for peer, rest in ((idle, LIVE + END), (uploading, b"}")):
            peer.sendall(rest)
            assert heard_until(peer, b"}").startswith(b"HTTP/1.1 ")
