"""Requests as bytes, for what no proper client would send, and what must not come of them."""

import json
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from tests.conformance.foreign import Client, Json, World, good

LIMIT_S = 10.0
ENDLESS = (b"content-type: text/event-stream", b"content-type: application/x-ndjson")
"""What answers that do not end by themselves say of it in their head."""


class Answer(NamedTuple):
    """What came back over a plain socket; status 0 when the hub hung up without a word."""

    status: int
    content_type: str
    body: bytes

    def complaint(self, *, may_succeed: bool = False) -> str:
        """Return what is wrong with this as an answer to bad input, or nothing."""
        if 200 <= self.status < 300 and may_succeed:
            return ""
        if not 400 <= self.status < 500:
            return f"status {self.status}"
        if self.content_type != "application/problem+json":
            return f"{self.status} as {self.content_type}"
        said = json.loads(self.body)
        is_whole = isinstance(said.get("code"), str) and said.get("status") == self.status
        return "" if is_whole else f"{self.status} with {said}"


def sent(world: World, request: bytes, *, and_no_more: bool = False) -> Answer:
    """Return the answer to the bytes of a request, which may say that nothing follows them."""
    with socket.create_connection(world.hub.address, LIMIT_S) as peer:
        # The hub may hang up before it has read all that is too much.
        with suppress(ConnectionError):
            peer.sendall(request)
        if and_no_more:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_WR)
        return parsed(received(peer))


def received(peer: socket.socket) -> bytes:
    """Return all that the hub says until it hangs up; of what does not end, the beginning."""
    parts: list[bytes] = []
    with suppress(ConnectionError):
        while part := peer.recv(65_536):
            parts.append(part)
            if any(name in parts[0] for name in ENDLESS):
                break
    return b"".join(parts)


def parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not lines[0].startswith(b"HTTP/1."):
        return Answer(0, "", answer)
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines[1:])}
    status = int(lines[0].split()[1])
    return Answer(status, headers.get(b"content-type", b"").decode(), body)


def head(method: str, path: str, client: Client, *more: str) -> bytes:
    """Return a request's head without its end; the connection ends with the answer."""
    lines = [f"{method} {path} HTTP/1.1", "Host: hub", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in client.headers.items()]
    return "\r\n".join([*lines, *more, ""]).encode("utf-8", "surrogateescape")


def with_body(method: str, path: str, client: Client, body: bytes) -> bytes:
    typed = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return head(method, path, client, *typed) + b"\r\n" + body


class Stage:
    """A running and an acquired job that must not change, and the nodes that hold them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.job, self.node = world.running()
        self.acquired, self.idle = world.new_job(), world.new_node()
        good(self.idle.acquire(self.acquired))

    def seen(self) -> tuple[Json, str]:
        """Return what bad input must not change: the running job, and where the log of all ends."""
        return self.world.job_and_head(self.job)


def complaints(
    stage: Stage, cases: Iterable[tuple[str, bytes, bool]], *, in_json: bool = True
) -> list[str]:
    """Send every case; return those that were not refused properly, or that changed something.

    A case is a name, a request, and whether it may also be accepted. What is no whole request need
    not be answered ``in_json``.
    """
    found = []
    before = stage.seen()
    for name, request, may_succeed in cases:
        answer = sent(stage.world, request, and_no_more=not in_json)
        if in_json:
            found += [
                f"{name}: {text}" for text in [answer.complaint(may_succeed=may_succeed)] if text
            ]
        elif answer.status >= 500 or b"<html" in answer.body.lower():
            found.append(f"{name}: status {answer.status}")
        after = stage.seen()
        if after != before and not (may_succeed and answer.status < 300):
            found.append(f"{name}: changed something, status {answer.status}")
        before = after
    assert good(stage.world.admin.get("/health/ready"))["status"] == "ok"
    return found
