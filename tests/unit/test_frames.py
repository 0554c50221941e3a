"""Frames that we build ourselves are what any WebSocket client reads."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from hub.live import sink as sinks
from hub.live.frames import payload_of, text_frame

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]


def read_by_a_client(data: bytes) -> list[bytes]:
    client = ClientProtocol(parse_uri("ws://localhost"), max_size=None, state=OPEN)
    client.receive_data(data)
    frames = [event for event in client.events_received() if isinstance(event, Frame)]
    assert client.parser_exc is None
    assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in frames)
    return [bytes(frame.data) for frame in frames]


@pytest.mark.parametrize("size", SIZES)
def test_a_client_reads_what_was_framed(size: int) -> None:
    payload = b"x" * size
    assert read_by_a_client(text_frame(payload)) == [payload]
    assert payload_of(text_frame(payload)) == payload


@given(st.lists(st.text(max_size=300), min_size=1, max_size=20))
def test_joined_frames_are_separate_messages_in_order(texts: list[str]) -> None:
    payloads = [text.encode() for text in texts]
    assert read_by_a_client(b"".join(map(text_frame, payloads))) == payloads


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_aborted = False
        self.waiting_bytes = 1

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_aborted

    def get_extra_info(self, name: str) -> None:
        """There is no socket under this one."""

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes


class Protocol:
    """As much of uvicorn's protocol as a sink uses."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self.disconnected = False
        self.close_sent = False
        self.transport = Transport()


FRAMES = [text_frame(b"{}"), text_frame(b'{"a":1}')]


async def test_the_direct_way_writes_all_frames_at_once() -> None:
    protocol = Protocol()
    await sinks.DirectSink(cast(Any, protocol)).send(FRAMES)
    assert protocol.transport.written == [b"".join(FRAMES)]


async def test_a_slow_peer_is_given_a_burst_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "STALL_S", 0.05)
    protocol = Protocol()
    burst = [text_frame(bytes([n]) * 100_000) for n in range(9)]
    taken: list[bytes] = []

    def write_and_fill(data: bytes) -> None:
        taken.append(data)
        protocol.writable.clear()
        if len(taken) < 3:
            asyncio.get_running_loop().call_soon(protocol.writable.set)

    protocol.transport.write = write_and_fill  # type: ignore[method-assign]  # a full transport
    with pytest.raises(TimeoutError):
        await sinks.DirectSink(cast(Any, protocol)).send(burst)
    assert taken == [burst[0] + burst[1], burst[2] + burst[3], burst[4] + burst[5]]


@given(st.lists(st.integers(0, 600_000), min_size=1, max_size=12))
def test_writes_are_bounded_and_cut_no_frame(sizes: list[int]) -> None:
    frames = [text_frame(b"x" * size) for size in sizes]
    written = list(sinks.writes(frames))
    assert b"".join(written) == b"".join(frames)
    for data in written:
        assert len(data) <= sinks.WRITE_MAX_BYTES or data in frames


async def test_the_portable_way_sends_a_message_a_frame() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await sinks.AsgiSink(send).send(FRAMES)
    assert [message["text"] for message in sent] == ["{}", '{"a":1}']


async def test_a_peer_that_left_is_noticed() -> None:
    protocol = Protocol()
    protocol.disconnected = True
    with pytest.raises(sinks.PeerGone):
        await sinks.DirectSink(cast(Any, protocol)).send(FRAMES)
    assert protocol.transport.written == []


async def test_a_peer_that_takes_nothing_is_waited_for_until_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks, "STALL_S", 0.05)
    protocol = Protocol()
    protocol.writable.clear()
    sink = sinks.DirectSink(cast(Any, protocol))
    with pytest.raises(TimeoutError):
        await sink.send(FRAMES)
    assert protocol.transport.written == []
    sink.abort()
    assert protocol.transport.is_aborted


async def test_a_peer_that_takes_a_little_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "STALL_S", 0.02)
    protocol = Protocol()
    protocol.writable.clear()
    protocol.transport.waiting_bytes = 3
    loop = asyncio.get_running_loop()

    def take_one() -> None:
        protocol.transport.waiting_bytes -= 1
        if protocol.transport.waiting_bytes:
            loop.call_later(0.01, take_one)
        else:
            protocol.writable.set()

    loop.call_later(0.01, take_one)
    await sinks.DirectSink(cast(Any, protocol)).send(FRAMES)
    assert protocol.transport.written == [b"".join(FRAMES)]


def test_a_server_without_the_extension_gets_the_portable_way() -> None:
    async def send(message: Any) -> None:
        raise AssertionError(message)

    protocol = Protocol()
    assert isinstance(sinks.sink_of({"extensions": {}}, send), sinks.AsgiSink)
    reachable = {"extensions": {sinks.EXTENSION: protocol}}
    assert isinstance(sinks.sink_of(reachable, send), sinks.DirectSink)
