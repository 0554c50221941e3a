"""A closed loop: every connection repeats its request as soon as the answer is there."""

import asyncio
from array import array
from collections.abc import Sequence
from time import perf_counter

import msgspec

from tests.bench.client import Address, HttpConnection, Refused, dial


class Load(msgspec.Struct, frozen=True):
    """What a server did in one stretch of time, and the latencies, in milliseconds.

    ``cpu_ms`` is the server's processor time for one request, ``None`` if nobody looked.
    """

    done: int
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None = None


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0..1) of the ascending values lie; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def load_of(done: int, seconds: float, latencies_s: Sequence[float]) -> Load:
    """Return the rate of ``done`` things in ``seconds``, with the latencies of their requests."""
    ordered = sorted(latencies_s)
    return Load(
        done=done,
        per_s=done / seconds,
        p50_ms=percentile(ordered, 0.50) * 1e3,
        p99_ms=percentile(ordered, 0.99) * 1e3,
    )


class _Pounder(HttpConnection):
    """Writes the next request from inside the callback of the last answer: no task, no future."""

    def __init__(self, request: bytes) -> None:
        super().__init__()
        self._request = request
        self._sent = 0.0
        self._ends = 0.0
        self.latencies_s = array("d")
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, *, ends: float) -> None:
        self._ends = ends
        self._sent = perf_counter()
        self.transport.write(self._request)

    def answered(self, body: bytes) -> None:
        now = perf_counter()
        if now >= self._ends:
            self.over.set_result(None)
            return
        self.latencies_s.append(now - self._sent)
        self._sent = now
        self.transport.write(self._request)

    def failed(self, error: Refused) -> None:
        if not self.over.done():
            self.over.set_exception(error)


async def pound(address: Address, requests: Sequence[bytes], seconds: float) -> Load:
    """Repeat each request on a connection of its own for ``seconds``.

    Raises:
        Refused: any answer was no 2xx; a refused request has no place in a rate.
    """
    connections = [await dial(address, _Pounder(request)) for request in requests]
    try:
        ends = perf_counter() + seconds
        for connection in connections:
            connection.start(ends=ends)
        await asyncio.gather(*(connection.over for connection in connections))
    finally:
        for connection in connections:
            connection.over.cancel()
            connection.transport.close()
    latencies = array("d")
    for connection in connections:
        latencies.extend(connection.latencies_s)
    return load_of(len(latencies), seconds, latencies)
