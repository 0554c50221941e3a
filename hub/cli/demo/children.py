"""Child processes: started with a log, watched while they are needed, stopped by their id."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from hub.cli.rest import NoAnswer
from hub.errors import Unavailable

T = TypeVar("T")

Loss = Coroutine[Any, Any, NoReturn]
"""Waits for something that must not happen, and raises when it does."""

STOP_S = 12.0
"""How long a process may take to end after SIGTERM before it is killed."""

ENDING_S = 2.0
"""How long a process may take from closing its connections to its end."""


class ProcessEnded(Unavailable):
    """A process that the demo needs has ended."""

    code = "process_ended"


class Child:
    """A running process; ``title`` is what messages call it."""

    def __init__(self, title: str, process: Process, log: Path) -> None:
        self.title = title
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def lines(self) -> AsyncIterator[str]:
        """Yield what it prints, line by line, until it prints no more."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield line.decode(errors="replace").rstrip()

    async def loss(self, *, may_end_well: bool = False) -> NoReturn:
        """Wait until it has ended, and raise.

        Args:
            may_end_well: Whether the exit code 0 is no loss; this then never returns.

        Raises:
            ProcessEnded: always; it says how, and with which last words.
        """
        code = await self._process.wait()
        while code == 0 and may_end_well:
            await asyncio.get_running_loop().create_future()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        raise ProcessEnded(f"{self.title} ended {how} ({_last_line(self.log)})")

    async def stop(self) -> None:
        """Ask it to end, and kill it if it does not; nothing is left of it afterwards."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()


@asynccontextmanager
async def running(
    title: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> AsyncIterator[Child]:
    """Run ``python -m`` with ``arguments`` inside the block; what it prints can be read by line.

    ``environment`` stands in place of all ``HUB_*`` of ours; errors go to the end of ``log``.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            env=inherited | dict(environment),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=sink,
            # Ctrl-C in the terminal is for us, who then stop it in the right order.
            start_new_session=True,
        )
    child = Child(title, process, log)
    try:
        yield child
    finally:
        await child.stop()


async def unless(losses: Sequence[Loss], work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns, but give it up as soon as one of ``losses`` happens.

    The error of a loss counts before the one that it makes ``work`` fail with.
    """
    working = asyncio.ensure_future(work)
    losing = [asyncio.ensure_future(loss) for loss in losses]
    try:
        await asyncio.wait([working, *losing], return_when=asyncio.FIRST_COMPLETED)
        if working.done() and isinstance(working.exception(), NoAnswer):
            # A peer that does not answer may be one that is just ending.
            await asyncio.wait(losing, timeout=ENDING_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, *losing):
            task.cancel()
        await asyncio.gather(working, *losing, return_exceptions=True)
    for task in losing:
        if not task.cancelled():
            task.result()
    return working.result()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
