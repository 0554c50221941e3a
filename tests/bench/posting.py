"""Progress reports at a steady rate, sent whether or not the earlier ones have been answered."""

import asyncio
from collections.abc import Callable
from time import perf_counter

import msgspec

from tests.bench.client import Address, Caller, dial

CONNECTIONS = 16


class Stretch(msgspec.Struct, frozen=True):
    """One stretch of posting, by `perf_counter`: keys are counters, ``ended_s`` the last answer."""

    began_s: float
    ended_s: float
    answered_s: dict[int, float]


class Poster:
    """Posts numbered reports; up to `CONNECTIONS` are in flight, then it falls behind the rate."""

    def __init__(self, request: Callable[[int], bytes], sent_s: dict[int, float]) -> None:
        self._request = request
        self._sent_s = sent_s
        self._callers: list[Caller] = []
        self._free: asyncio.Queue[Caller] = asyncio.Queue()

    async def connect(self, address: Address) -> None:
        """Open the connections."""
        for _ in range(CONNECTIONS):
            self._callers.append(await dial(address, Caller()))
            self._free.put_nowait(self._callers[-1])

    def close(self) -> None:
        """Close the connections."""
        for caller in self._callers:
            caller.transport.close()

    async def post(self, counters: range, *, per_s: float) -> Stretch:
        """Post each counter at its time, and return when all are answered."""
        began_s = perf_counter()
        answered_s: dict[int, float] = {}
        async with asyncio.TaskGroup() as group:
            for position, counter in enumerate(counters):
                await asyncio.sleep(began_s + position / per_s - perf_counter())
                caller = await self._free.get()
                group.create_task(self._post(caller, counter, answered_s))
        return Stretch(began_s, perf_counter(), answered_s)

    async def _post(self, caller: Caller, counter: int, answered_s: dict[int, float]) -> None:
        self._sent_s[counter] = perf_counter()
        await caller.call(self._request(counter))
        answered_s[counter] = perf_counter()
        self._free.put_nowait(caller)
