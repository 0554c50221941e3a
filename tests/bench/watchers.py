"""A thousand watchers of one job in one process: raw sockets, one look at each shared frame."""

import asyncio
import re
from array import array
from collections.abc import Callable
from time import perf_counter

from tests.bench import frames
from tests.bench.client import Address, Refused, dial
from tests.bench.sockets import Socket

_COUNTER = re.compile(rb'"counter":\s*(\d+)')
_KNOWN_LIMIT = 4_096
_HANDSHAKES_AT_ONCE = 50


class Audience:
    """What all watchers of a job heard, and when.

    A server writes the same bytes to every watcher, so each distinct chunk is parsed once.

    Args:
        look: Is shown each message when it is parsed, and raises if it does not like it.
    """

    def __init__(self, look: Callable[[bytes], object] | None = None) -> None:
        self.look = look
        self.watchers: list[Watcher] = []
        self.sent_s: dict[int, float] = {}
        self.latencies_s = array("d")
        self.last_heard_s = 0.0
        self.known: dict[bytes, tuple[int, ...]] = {}
        self._heard = 0
        self._expected = 0
        self._over: asyncio.Future[None] | None = None
        self._cut_off: list[str] = []

    def note(self, counters: tuple[int, ...]) -> None:
        """Take what one watcher heard just now."""
        now = self.last_heard_s = perf_counter()
        for counter in counters:
            self.latencies_s.append(now - self.sent_s[counter])
        self._heard += len(counters)
        if self._heard >= self._expected and self._over and not self._over.done():
            self._over.set_result(None)

    def learn(self, chunk: bytes, counters: tuple[int, ...]) -> None:
        """Remember what a chunk of whole frames holds."""
        if len(self.known) >= _KNOWN_LIMIT:
            self.known.clear()
        self.known[chunk] = counters

    def lost(self, reason: str) -> None:
        """Take the end of a watcher's connection that nobody here asked for."""
        self._cut_off.append(reason)
        if self._over and not self._over.done():
            self._over.set_result(None)

    async def everybody_heard(self, messages: int, *, limit_s: float) -> None:
        """Return once each watcher has heard so many messages in all.

        Raises:
            Refused: not within ``limit_s``, some heard more, or a watcher was cut off.
        """
        self._expected = messages * len(self.watchers)
        self._over = asyncio.get_running_loop().create_future()
        if self._heard < self._expected and not self._cut_off:
            await asyncio.wait([self._over], timeout=limit_s)
        if self._cut_off:
            raise Refused(f"{len(self._cut_off)} watchers were cut off: {self._cut_off[0]}")
        if self._heard != self._expected:
            raise Refused(f"{self._heard} deliveries, not {self._expected}")

    async def join(self, address: Address, request: bytes, count: int) -> None:
        """Connect ``count`` watchers with the same handshake."""
        for start in range(0, count, _HANDSHAKES_AT_ONCE):
            arriving = [Watcher(self) for _ in range(min(_HANDSHAKES_AT_ONCE, count - start))]
            await asyncio.gather(*(dial(address, watcher) for watcher in arriving))
            for watcher in arriving:
                watcher.transport.write(request)
            await asyncio.gather(*(watcher.accepted for watcher in arriving))
            self.watchers += arriving

    def leave(self) -> None:
        """Hang up."""
        self._over = None
        for watcher in self.watchers:
            watcher.transport.close()


class Watcher(Socket):
    """One connection; ``heard`` holds the counters in the order of their arrival."""

    def __init__(self, audience: Audience) -> None:
        super().__init__()
        self._audience = audience
        self.heard = array("l")

    def data_received(self, data: bytes) -> None:
        audience = self._audience
        counters = audience.known.get(data) if self.is_between_frames else None
        if counters is None:
            counters = self._read(data)
        if counters:
            self.heard.extend(counters)
            audience.note(counters)

    def _read(self, data: bytes) -> tuple[int, ...]:
        is_first = self.is_between_frames
        arrived = self.frames_in(data)
        texts = [frame.payload for frame in arrived if frame.opcode == frames.TEXT]
        if self._audience.look is not None:
            for text in texts:
                self._audience.look(text)
        counters = tuple(int(found) for text in texts for found in _COUNTER.findall(text))
        if is_first and self.is_between_frames and len(texts) == len(arrived):
            self._audience.learn(data, counters)
        return counters

    def lost(self, reason: str) -> None:
        self._audience.lost(reason)
