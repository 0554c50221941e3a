"""A few threads for disk work, so that the event loop never waits for a disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """At most ``count`` calls at a time; further ones wait their turn."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix="outputs")

    async def run(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns.

        A cancelled caller learns of it only when ``call`` has ended: until then the thread still
        uses the file that the caller is about to close.
        """
        future = asyncio.get_running_loop().run_in_executor(self._pool, call)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            future.exception()  # looked at, or asyncio reports it as forgotten
            raise cancelled
        return future.result()

    def close(self) -> None:
        """Let the threads end after their present calls; blocks until they have."""
        self._pool.shutdown()
