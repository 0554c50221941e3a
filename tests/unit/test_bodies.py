import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Request

from hub.api import bodies
from hub.api.bodies import DEPTH_MAX, check_shape, parse, raw_body
from hub.errors import BodyTooLarge, InvalidInput

MIB = 2**20


class Route:
    def resolve_request_max_body_size(self) -> int:
        return 8


def request_of(*messages: dict[str, Any]) -> Request[Any, Any, Any]:
    """A request that receives these, and then nothing more for ever."""
    waiting: Iterator[dict[str, Any]] = iter(messages)

    async def receive() -> Any:
        for message in waiting:
            return message
        return await asyncio.get_running_loop().create_future()

    scope: Any = {"type": "http", "headers": [], "route_handler": Route()}
    return Request(scope, receive)


def piece(body: bytes, *, more_body: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more_body}


# --- Depth ----------------------------------------------------------------------------------------


def is_refused(body: str | bytes) -> bool:
    try:
        check_shape(body.encode() if isinstance(body, str) else body)
    except InvalidInput:
        return True
    return False


def nested(levels: int, inner: str = "") -> str:
    """Lists and objects by turns."""
    opened = "".join('{"k":' if level % 2 else "[" for level in range(levels))
    closed = "".join("}" if level % 2 else "]" for level in reversed(range(levels)))
    return opened + inner + closed


@pytest.mark.parametrize("beside", ["[]", '"[[[["', '"\\"[{"', '"\\\\"', ",".join(["[[]]"] * 99)])
@pytest.mark.parametrize("levels", [DEPTH_MAX - 2, DEPTH_MAX - 1, DEPTH_MAX, 2 * DEPTH_MAX])
def test_json_is_nested_to_the_limit_and_no_further(levels: int, beside: str) -> None:
    body = f"[{beside}, {nested(levels, '0')}]"
    json.loads(body)
    assert is_refused(body) is (levels + 1 > DEPTH_MAX)


def test_brackets_in_texts_do_not_count() -> None:
    assert not is_refused(json.dumps(["[" * 100, '"' + "{" * 100, "\\" * 3 + "[" * 100]))


@given(st.text(alphabet='[]{}"\\', max_size=40), st.integers(0, DEPTH_MAX + 8))
def test_no_body_passes_that_is_too_deep_for_a_decoder(rest: str, levels: int) -> None:
    body = "[" * levels + rest + "]" * levels
    try:
        value = json.loads(body)
    except ValueError:
        return
    depth = 0
    level = [value]
    while containers := [member for member in level if isinstance(member, (list, dict))]:
        depth += 1
        level = [m for c in containers for m in (c.values() if isinstance(c, dict) else c)]
    assert is_refused(body) is (depth > DEPTH_MAX)


@pytest.mark.parametrize(
    "body", ["[" + "[]," * 99, "]" * 99 + "[" * 99, '["' + "[" * 99, "[]" * 99]
)
def test_of_what_is_not_json_the_decoder_says_so(body: str) -> None:
    with pytest.raises(InvalidInput, match="JSON parse error"):
        parse(body.encode(), Any)


@pytest.mark.parametrize(
    "part",
    [b"[],", b"[", b"]", b"{", b"[{", b'"', b'\\"', b'"\\"', b'"[",', b"[" * 64 + b"]" * 64 + b","],
)
def test_the_depth_of_a_large_body_is_soon_known(part: bytes) -> None:
    body = b"[" * 65 + b'"' * (part == b'\\"') + part * (MIB // len(part))
    # A walk that decides about every byte in Python takes hundreds of times as long as an empty
    # one; measured in the same moment, for other programs share the processor.
    assert quickest_s(lambda: is_refused(body)) < 30 * quickest_s(lambda: walk(body))


def walk(body: bytes) -> None:
    for _ in body:
        pass


def quickest_s(work: Callable[[], object]) -> float:
    times_s = []
    for _ in range(3):
        began_s = time.thread_time()
        work()
        times_s.append(time.thread_time() - began_s)
    return min(times_s)


# --- Reception ------------------------------------------------------------------------------------


async def test_the_pieces_of_a_body_are_put_together() -> None:
    request = request_of(piece(b"[1", more_body=True), piece(b",2]", more_body=False))
    assert await raw_body(request) == b"[1,2]"


async def test_a_body_that_stops_in_the_middle_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PAUSE_MAX_S", 0.01)
    async with asyncio.timeout(5):
        with pytest.raises(InvalidInput, match="the body was cut off"):
            await raw_body(request_of(piece(b"[", more_body=True)))


async def test_a_caller_who_hangs_up_cuts_the_body_off() -> None:
    with pytest.raises(InvalidInput, match="the body was cut off"):
        await raw_body(request_of(piece(b"[", more_body=True), {"type": "http.disconnect"}))


@pytest.mark.parametrize("sizes", [[9], [4, 5], [9, 1]])
async def test_a_body_beyond_its_limit_is_refused_without_its_rest(sizes: list[int]) -> None:
    request = request_of(*(piece(b"x" * size, more_body=True) for size in sizes))
    with pytest.raises(BodyTooLarge):
        await raw_body(request)
