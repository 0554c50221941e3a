"""A session with a PostgreSQL server for code that does not await."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg

from tests.private_server import ServerFailed

LIMIT_S = 30.0


class Console:
    """One connection, opened when it is needed and kept, on an event loop in its own thread.

    Fixtures ask from inside and outside of an event loop, hundreds of times in a run: a process or
    a connection for each question would take longer than most answers.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def ask(self, url: str, statement: str) -> Any:
        """Run one statement; return the first value of its first row, if any.

        Raises:
            ServerFailed: The server is away, or refused, with its reason.
        """
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="postgres-console")
        try:
            return self._thread.submit(self._runner.run, self._ask(url, statement)).result()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise ServerFailed(str(error)) from error

    def close(self) -> None:
        """End the session without asking the server, which may be gone; ``ask`` begins another."""
        if self._thread is None:
            return
        self._thread.submit(self._close).result()
        self._thread.shutdown()
        self._thread, self._runner = None, asyncio.Runner()

    async def _ask(self, url: str, statement: str) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(url, timeout=2, command_timeout=LIMIT_S)
        return await self._connection.fetchval(statement)

    def _close(self) -> None:
        if self._connection is not None:
            self._runner.run(self._terminate(self._connection))
            self._connection = None
        self._runner.close()

    async def _terminate(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        connection.terminate()
        await asyncio.sleep(0)  # the loop closes the socket in its next turn
