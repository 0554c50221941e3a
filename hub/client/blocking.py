"""A follower for programs without an event loop: an iterator in the caller's own thread."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from hub.client.follower import Follower, News


class BlockingFollower:
    """Runs a follower on a thread of its own while the ``with`` block lasts.

        with BlockingFollower(Follower(address, wish)) as news:
            for one in news:
                ...

    The thread keeps the connection alive while the caller works on what it got; it goes on when the
    caller asks for more, so that the cursor is stored after the work, here too.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._told: queue.SimpleQueue[News | BaseException] = queue.SimpleQueue()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub-follower", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None]
        self._wanted: asyncio.Semaphore

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def __iter__(self) -> Iterator[News]:
        """Give everything that happens, for ever; raises what ``Follower.news`` raises."""
        while True:
            with suppress(RuntimeError):  # the loop has ended: what it ended with is told
                self._loop.call_soon_threadsafe(self._wanted.release)
            one = self._told.get()
            if isinstance(one, BaseException):
                self._told.put(one)
                raise one
            yield one

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._wanted = asyncio.Semaphore(0)
            self._task = self._loop.create_task(self._follow())
            self._is_up.set()
            runner.run(_until_done(self._task))

    async def _follow(self) -> None:
        try:
            await self._wanted.acquire()
            await self._follower.run(self._tell)
        except BaseException as error:  # it is the caller's, on the other thread
            self._told.put(error)
            raise

    async def _tell(self, one: News) -> None:
        self._told.put(one)
        await self._wanted.acquire()


async def _until_done(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # the caller has it
