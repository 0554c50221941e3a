"""A thousand watchers in one process: raw sockets, one look at each shared frame."""

import asyncio
import re
from array import array
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from tests.bench import frames
from tests.bench.client import Address, Refused, dial
from tests.bench.sockets import Socket

_COUNTER = re.compile(rb'"counter":\s*(\d+)')
_KNOWN_LIMIT = 4_096
_HANDSHAKES_AT_ONCE = 50


class Heard(NamedTuple):
    """What a chunk of whole frames holds: the counters in it, and how many texts."""

    counters: tuple[int, ...]
    texts: int


class Audience:
    """What all watchers of a job heard, and when.

    A server writes the same bytes to every watcher, so each distinct chunk is parsed once.

    Args:
        look: Is shown each message when it is parsed, and raises if it does not like it.

    Attributes:
        texts: Messages that came to all watchers together.
    """

    def __init__(self, look: Callable[[bytes], object] | None = None) -> None:
        self.look = look
        self.watchers: list[Watcher] = []
        self.sent_s: dict[int, float] = {}
        self.latencies_s = array("d")
        self.last_heard_s = 0.0
        self.texts = 0
        self.known: dict[bytes, Heard] = {}
        self._heard = 0
        self._expected = 0
        self._over: asyncio.Future[None] | None = None
        self._cut_off: list[str] = []

    def note(self, heard: Heard) -> None:
        """Take what one watcher heard just now."""
        counters, texts = heard
        self.texts += texts
        now = self.last_heard_s = perf_counter()
        for counter in counters:
            self.latencies_s.append(now - self.sent_s[counter])
        self._heard += len(counters)
        if self._heard >= self._expected and self._over and not self._over.done():
            self._over.set_result(None)

    def learn(self, chunk: bytes, heard: Heard) -> None:
        """Remember what a chunk of whole frames holds."""
        if len(self.known) >= _KNOWN_LIMIT:
            self.known.clear()
        self.known[chunk] = heard

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
        await self.all_heard(messages * len(self.watchers), limit_s=limit_s)

    async def all_heard(self, deliveries: int, *, limit_s: float) -> None:
        """Return once the watchers have heard so many messages together; raise likewise."""
        self._expected = deliveries
        self._over = asyncio.get_running_loop().create_future()
        if self._heard < self._expected and not self._cut_off:
            await asyncio.wait([self._over], timeout=limit_s)
        if self._cut_off:
            raise Refused(f"{len(self._cut_off)} watchers were cut off: {self._cut_off[0]}")
        if self._heard != self._expected:
            raise Refused(f"{self._heard} deliveries, not {self._expected}")

    async def join(self, address: Address, request: bytes, count: int) -> None:
        """Connect ``count`` watchers with the same handshake."""
        await self.seat(address, [Watcher(self, request) for _ in range(count)])

    async def seat(self, address: Address, watchers: "Sequence[Watcher]") -> None:
        """Connect these watchers, and return when each of them hears all that comes."""
        for start in range(0, len(watchers), _HANDSHAKES_AT_ONCE):
            arriving = watchers[start : start + _HANDSHAKES_AT_ONCE]
            await asyncio.gather(*(dial(address, watcher) for watcher in arriving))
            await asyncio.gather(*(watcher.begun for watcher in arriving))
            self.watchers += arriving

    def leave(self) -> None:
        """Hang up."""
        self._over = None
        for watcher in self.watchers:
            watcher.transport.close()


class Watcher(Socket):
    """One connection; ``heard`` holds the counters in the order of their arrival.

    ``begun`` resolves when nothing that comes can be missed any more.
    """

    def __init__(self, audience: Audience, request: bytes) -> None:
        super().__init__()
        self._audience = audience
        self._request = request
        self.heard = array("l")
        self.begun: asyncio.Future[None] = self.accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        audience = self._audience
        heard = audience.known.get(data) if self.is_between_frames else None
        if heard is None:
            heard = self._read(data)
        if heard.counters:
            self.heard.extend(heard.counters)
            audience.note(heard)

    def hear(self, texts: Sequence[bytes]) -> None:
        """Take messages that are parsed: all of them until ``begun``, later only new ones."""

    def _read(self, data: bytes) -> Heard:
        is_first = self.is_between_frames and self.begun.done()
        arrived = self.frames_in(data)
        texts = [frame.payload for frame in arrived if frame.opcode == frames.TEXT]
        if self._audience.look is not None:
            for text in texts:
                self._audience.look(text)
        self.hear(texts)
        counters = tuple(int(found) for text in texts for found in _COUNTER.findall(text))
        heard = Heard(counters, len(texts))
        if is_first and self.is_between_frames and len(texts) == len(arrived):
            self._audience.learn(data, heard)
        return heard

    def lost(self, reason: str) -> None:
        self._audience.lost(reason)
