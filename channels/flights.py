"""Questions that several ask at the same time are asked once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class _Flight:
    """One question under way, and how many wait for its answer."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.waiting = 0


class Flights:
    """Answers equal questions together, and only so many different ones at a time.

    Args:
        most: How many are asked at the same time; the others wait, first come, first served.
    """

    def __init__(self, most: int) -> None:
        self._turns = asyncio.Semaphore(most)
        self._under_way: dict[Hashable, _Flight] = {}

    async def share(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to ``ask``, or to an equal question that has not been answered yet.

        An error goes to all who wait for it. Cancelling leaves the others waiting; with the last of
        them the question is dropped.
        """
        flight = self._under_way.get(key)
        if flight is None:
            flight = self._under_way[key] = _Flight()
            flight.task = asyncio.create_task(self._asked(key, flight, ask))
        assert flight.task is not None
        flight.waiting += 1
        try:
            answer: T = await asyncio.shield(flight.task)
            return answer
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                # Before the end is waited for: who asks meanwhile must not board what is dropped.
                self._forget(key, flight)
                await _ended(flight.task)

    async def end(self) -> None:
        """Ask no more: who still waits is cancelled."""
        for flight in tuple(self._under_way.values()):
            if flight.task is not None:
                await _ended(flight.task)

    async def _asked(self, key: Hashable, flight: _Flight, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            async with self._turns:
                return await ask()
        finally:
            self._forget(key, flight)

    def _forget(self, key: Hashable, flight: _Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task unless it is done, and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
