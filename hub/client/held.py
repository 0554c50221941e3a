"""A wait that may be broken off and taken up again without losing what it waits for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """Runs one piece of work at a time, as a task that outlives an impatient caller.

    Args:
        work: Makes the next result; begun afresh when the last one was taken.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._task: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the next result; cancelled, it goes on, and the next call gets it."""
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        await asyncio.wait({self._task})
        task, self._task = self._task, None
        return task.result()

    async def end(self) -> None:
        """Break off the work for good."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()  # it came too late to be told
