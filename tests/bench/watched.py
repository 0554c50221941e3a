"""The life of a job as ``cycle`` has it, with somebody at its socket who hears all of it."""

import asyncio

import msgspec

from tests.bench import frames
from tests.bench.client import Address, Caller, Refused, dial
from tests.bench.cycle import PROGRESS_VALUES, Life, beside_the_floor, work_on
from tests.bench.report import Outcome
from tests.bench.sockets import Socket, handshake
from tests.bench.stage import Stage
from tests.bench.world import World

TARGETS = {"sqlite": 230 / 535, "postgres": 160 / 325}
"""Jobs a second that are asked for, by those of the floor app on the machine of that demand."""

HEARING_LIMIT_S = 20.0

STORY = (
    ("acquire", None),
    ("start", None),
    *(("progress", number) for number in range(len(PROGRESS_VALUES))),
    ("finish", None),
)
"""What the watcher of a job hears: the transitions, and the numbers of the reports."""


class _Report(msgspec.Struct):
    counter: int | None = None


class _Message(msgspec.Struct):
    transition: str
    pk: int
    transition_data: _Report


class Witness(Socket):
    """The only watcher of a job."""

    def __init__(self, job: int) -> None:
        super().__init__()
        self._job = job
        self._heard: list[tuple[str, int | None]] = []
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        for frame in self.frames_in(data):
            if frame.opcode == frames.TEXT:
                self.hear(msgspec.json.decode(frame.payload, type=_Message))

    def hear(self, message: _Message) -> None:
        """Take the next message."""
        pk = "" if message.pk == self._job else f" of job {message.pk}"
        self._heard.append((message.transition + pk, message.transition_data.counter))
        if message.transition == STORY[-1][0]:
            self._end()

    def lost(self, reason: str) -> None:
        self._heard.append((f"cut off: {reason}", None))
        self._end()

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    async def testify(self) -> None:
        """Wait for the end of the story and leave.

        Raises:
            Refused: it was another one than `STORY`, or has no end.
        """
        await asyncio.wait([self._over], timeout=HEARING_LIMIT_S)
        if tuple(self._heard) != STORY:
            raise Refused(f"the watcher of job {self._job} heard {self._heard}")
        self.leave()


async def witness(address: Address, world: World, job: int) -> Witness:
    """Return a watcher of ``job`` who will hear what happens from now on."""
    watcher = await dial(address, Witness(job))
    watcher.transport.write(handshake(f"/v1/jobs/{job}", world.token))
    await watcher.accepted
    return watcher


def watched_at(address: Address) -> Life:
    """Return the life of a job at ``address`` that is watched from its creation to its end."""

    async def one_job(caller: Caller, world: World, node: int) -> None:
        job = await world.create_job(caller)
        watcher = await witness(address, world, job)
        try:
            await work_on(caller, world, job, node)
            await watcher.testify()
        except BaseException:
            watcher.transport.abort()
            raise

    return one_job


async def run(stage: Stage) -> Outcome:
    """Compare watched lives with those that the floor app serves unwatched."""
    return await beside_the_floor(stage, "watched", watched_at, at_least=TARGETS[stage.kind])
