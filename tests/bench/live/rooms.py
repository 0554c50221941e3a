"""The yardstick's clients: whoever posts to a room, and the requests of those who listen."""

import asyncio
from collections import deque

import msgspec

from tests.bench import frames
from tests.bench.client import Address, Refused, dial
from tests.bench.sockets import Socket, handshake
from tests.bench.world import progress_body


def listening(room: int) -> bytes:
    """Return the request of somebody who listens in a room."""
    return handshake(f"/{room}", "none")


def message(job: int, counter: int) -> bytes:
    """Return a report as large as the hub's plain socket makes one of ``progress_body``."""
    told = {
        "transition": "progress",
        "description": "",
        "pk": job,
        "progress": 0.5,
        "cancelled": False,
        "node": 1,
        "transition_data": progress_body(counter),
        "seq": counter,
        "tseq": 3,
        "cursor": f"v1:abcdefgh:{counter}",
    }
    return msgspec.json.encode(told)


class RoomPoster(Socket):
    """One connection to ``/post``: each message is answered when it is with all transports."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def data_received(self, data: bytes) -> None:
        for frame in self.frames_in(data):
            if frame.opcode == frames.TEXT:
                self._waiting.popleft().set_result(None)

    async def post(self, room: int, counter: int) -> None:
        """Have a report broadcast, and return when that is done."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        said = f"{room} ".encode() + message(room, counter)
        self.transport.write(frames.masked(frames.TEXT, said))
        await done

    def lost(self, reason: str) -> None:
        for done in self._waiting:
            done.set_exception(Refused(f"the yardstick hung up: {reason}"))


async def room_poster(address: Address) -> RoomPoster:
    """Return a connected poster."""
    poster = await dial(address, RoomPoster())
    poster.transport.write(handshake("/post", "none"))
    await poster.accepted
    return poster
