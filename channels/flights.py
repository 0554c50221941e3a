"""Questions that several ask at the same time are asked once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Flights:
    """Answers equal questions together, and only so many different ones at a time.

    Args:
        most: How many are asked at the same time; the others wait, first come, first served.
    """

    def __init__(self, most: int) -> None:
        self._turns = asyncio.Semaphore(most)
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: Counter[Hashable] = Counter()

    async def share(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to ``ask``, or to an equal question that has not been answered yet.

        An error goes to all who wait for it. Cancelling leaves the others waiting; with the last of
        them the question is dropped.
        """
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._asked(key, ask))
        self._waiting[key] += 1
        try:
            answer: T = await asyncio.shield(task)
            return answer
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]
                await _ended(task)

    async def end(self) -> None:
        """Ask no more: who still waits is cancelled."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            await _ended(task)

    async def _asked(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with self._turns:
                return await ask()
        finally:
            self._under_way.pop(key, None)


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task unless it is done, and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
