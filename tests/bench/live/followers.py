"""Watchers that speak ``hub.v1``."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from tests.bench import frames
from tests.bench.client import Refused
from tests.bench.sockets import handshake
from tests.bench.watchers import Audience, Watcher
from tests.bench.world import World

SUBPROTOCOL = "hub.v1"
_SUBSCRIBED = re.compile(rb'"op":"subscribed".*"mode":"(\w+)".*"from":"([^"]+)"')


class Follower(Watcher):
    """One connection with one subscription, which begins by itself or with ``wish``.

    ``begun`` resolves when the beginning is over: with the snapshot, if there is one.

    Attributes:
        place: The cursor at which the subscription began.
    """

    def __init__(self, audience: Audience, request: bytes, **wish: Any) -> None:
        super().__init__(audience, request)
        self.place = ""
        self._wish = wish
        self.begun = asyncio.get_running_loop().create_future()

    def hear(self, texts: Sequence[bytes]) -> None:
        for text in texts if not self.begun.done() else ():
            if text.startswith(b'{"op":"hello"') and self._wish:
                said = msgspec.json.encode({"op": "subscribe", "id": "s", **self._wish})
                self.transport.write(frames.masked(frames.TEXT, said))
            elif found := _SUBSCRIBED.search(text):
                self.place = found[2].decode()
                self._begin(is_over=found[1] != b"snapshot")
            elif text.startswith(b'{"op":"snapshot"'):
                self._begin(is_over=b'"last":true' in text)
            elif text.startswith(b'{"op":"error"'):
                self.begun.set_exception(Refused(text.decode()))

    def _begin(self, *, is_over: bool) -> None:
        if is_over:
            self.begun.set_result(None)

    def lost(self, reason: str) -> None:
        if not self.begun.done():
            self.begun.set_exception(Refused(f"no subscription: {reason}"))
        super().lost(reason)


def at_job(world: World, job: int) -> bytes:
    """Return the request for the socket of a job in ``hub.v1``, which is followed unasked."""
    return handshake(f"/v1/jobs/{job}", world.token, subprotocol=SUBPROTOCOL)


def at_stream(world: World) -> bytes:
    """Return the request for the socket that one subscribes on."""
    return handshake("/v1/stream", world.token, subprotocol=SUBPROTOCOL)
