"""Sends hostile calls as bytes, and says what is wrong with what comes of them."""

import json
import time
from collections.abc import Iterable, Iterator

from tests.conformance.plain_socket import Answer, sent
from tests.fuzz.calls import Call
from tests.fuzz.ground import Ground, Json
from tests.fuzz.operations import JSON_TYPE, Operation
from tests.fuzz.scenes import SCENES, Scene

LIMIT_S = 2.0
"""No answer to a single call may take longer."""


def encoded(body: Json) -> bytes:
    """Return a scene's body as bytes."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def request(operation: Operation, scene: Scene, call: Call) -> bytes:
    """Return the bytes of a call."""
    path = operation.path.format(**{**scene.places, **call.places}) + call.query
    body = encoded(scene.body) if call.body is None else call.body(scene.body)
    own = {name for name, _ in call.headers}
    lines = [f"{name}: {value}" for name, value in call.headers]
    lines += [f"{name}: {value}" for name, value in scene.caller.headers.items() if name not in own]
    if body and operation.takes_json and "Content-Type" not in own:
        lines.append(f"Content-Type: {JSON_TYPE}")
    if body and "Content-Length" not in own:
        lines.append(f"Content-Length: {len(body)}")
    method = call.method or operation.method
    head = [f"{method} {path} HTTP/1.1", "Host: hub", "Connection: close", *lines, "", ""]
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + body


class Walker:
    """Makes calls of one operation, each about things of its own; ``found`` is what was wrong."""

    def __init__(self, ground: Ground, operation: Operation) -> None:
        self._ground = ground
        self._operation = operation
        self.found: list[str] = []
        self.accepted: list[str] = []

    def walk(self, calls: Iterable[Call]) -> None:
        """Make the calls; then those that were refused once more, to see that nothing changes."""
        scene = self._scene()
        refused = []
        for call in calls:
            answer = self.make(scene, call)
            if 200 <= answer.status < 400:
                self.accepted.append(call.name)
                scene = self._scene()
            else:
                refused.append(call)
        self._ground.noted()
        before = self._ground.state()
        for call in refused:
            self.make(scene, call)
        self._compare(before, self._ground.state())

    def _scene(self) -> Scene:
        return SCENES[self._operation.action](self._ground)

    def make(self, scene: Scene, call: Call) -> Answer:
        """Make one call and look at its answer."""
        begun = time.perf_counter()
        answer = sent(self._ground.world, request(self._operation, scene, call))
        took_s = time.perf_counter() - begun
        is_head = (call.method or self._operation.method) == "HEAD"
        for complaint in complaints(answer, call, took_s, is_head=is_head):
            self.found.append(f"{self._operation.action}, {call.name}: {complaint}")
        return answer

    def _compare(self, before: dict[str, Json], after: dict[str, Json]) -> None:
        changed = [name for name in before if before[name] != after[name]]
        if changed:
            self.found.append(f"{self._operation.action}: refused calls changed {changed}")


def complaints(answer: Answer, call: Call, took_s: float, *, is_head: bool) -> Iterator[str]:
    """Yield what is wrong with an answer."""
    if took_s > LIMIT_S:
        yield f"took {took_s:.1f} s"
    if call.statuses and answer.status not in call.statuses:
        yield f"status {answer.status}, not {call.statuses}: {answer.body[:200]!r}"
    if 200 <= answer.status < 400 and not call.must_fail:
        return
    if is_head and 400 <= answer.status < 500:  # and no body that could say more
        return
    if said := answer.complaint():
        yield f"{said} {answer.body[:200]!r}"
