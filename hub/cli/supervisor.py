"""Keeps several workers on one listening socket: starts them, restarts what dies, ends them all.

It accepts no connection itself. Which worker gets one is left to the system: all of them wait on
the same socket, so that connections that nobody took yet outlive any worker.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress

import msgspec

from hub import clock
from hub.cli.worker import ALIVE, READY, Order
from hub.errors import Unavailable
from hub.settings import Settings

log = logging.getLogger("hub.cli")

PROGRAM = "from hub.cli.worker import main; main()"

START_TRIES = 3
"""Workers that may end, one after the other, before they serve: then the hub does not start."""

START_LIMIT_S = 60.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
SILENCE_S = 30.0
"""A worker that says nothing for twice this time is stuck, and killed."""

STEADY_S = 10.0
"""A worker that lived so long is restarted at once when it dies."""

OVERTIME_S = 2.0
"""A worker that needs so much longer for its stop than it may is killed."""


class WorkersFailed(Unavailable):
    """The workers do not start."""

    code = "workers_failed"


class Supervisor:
    """The workers of one hub.

    Args:
        settings: Of the hub; ``workers`` says how many.
        listener: What they serve; it stays open here, too.
        started: Called once, when all of them serve.
    """

    def __init__(
        self, settings: Settings, listener: socket.socket, started: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._started = started
        self._unready = set(range(1, settings.workers + 1))
        self._processes: set[Process] = set()
        self._stopping = asyncio.Event()
        self._failure: str | None = None

    async def run(self) -> None:
        """Keep all workers running until SIGTERM or SIGINT, then stop them; a second one kills.

        Raises:
            WorkersFailed: they do not come to serve; none is left.
        """
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop)
        limit = loop.call_later(START_LIMIT_S, self._start_is_over)
        try:
            async with asyncio.TaskGroup() as group:
                for number in tuple(self._unready):
                    group.create_task(self._keep(number))
        finally:
            limit.cancel()
        if self._failure is not None:
            raise WorkersFailed(self._failure)

    def _stop(self) -> None:
        if self._stopping.is_set():
            self._kill_all()
        self._stopping.set()

    def _kill_all(self) -> None:
        for process in tuple(self._processes):
            with suppress(ProcessLookupError):
                process.kill()

    def _fail(self, why: str) -> None:
        self._failure = self._failure or why
        self._stopping.set()

    def _start_is_over(self) -> None:
        if self._unready and not self._stopping.is_set():
            self._fail(f"workers {sorted(self._unready)} do not serve after {START_LIMIT_S:.0f} s")

    async def _keep(self, number: int) -> None:
        """Run worker ``number``, and another in its place whenever it ends, until the stop."""
        pause_s, tries = FIRST_PAUSE_S, 0
        while not self._stopping.is_set():
            began_s = clock.monotonic_s()
            why = await self._live(number)
            if self._stopping.is_set():
                return
            tries += 1
            if number in self._unready and tries == START_TRIES:
                self._fail(f"worker {number} ends before it serves: {why}")
                return
            if clock.monotonic_s() - began_s > STEADY_S:
                pause_s = FIRST_PAUSE_S
            log.warning("worker ended number=%d again_in_s=%.1f reason=%s", number, pause_s, why)
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _live(self, number: int) -> str:
        """Run a worker to its end, and return how it ended."""
        try:
            process = await self._spawned()
        except OSError as error:  # no memory or no process left: there may be later
            return f"not started: {error}"
        serves = asyncio.Event()
        self._processes.add(process)
        ending = asyncio.create_task(self._end_in_time(process, serves))
        try:
            said = await self._heard(number, process, serves)
            code = await process.wait()
            return said or f"exit code {code}"
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
            self._processes.discard(process)

    async def _spawned(self) -> Process:
        return await asyncio.create_subprocess_exec(
            # The path is that of this process, and not of the folder that it happens to be in.
            *(sys.executable, "-P", "-c", PROGRAM),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)},
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=[self._listener.fileno()],
            # Ctrl-C in a terminal is for the supervisor, which then stops them in its own way.
            start_new_session=True,
        )

    async def _heard(self, number: int, process: Process, serves: asyncio.Event) -> str:
        """Tell a worker what to do, and listen to it until it ends; return its last words."""
        assert process.stdin is not None
        assert process.stdout is not None
        order = Order(number, self._listener.fileno(), self._settings)
        with suppress(ConnectionError):  # it is dead already, which shows below
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            await process.stdin.drain()
        said = b""
        while line := await _next_line(process):
            if line == READY:
                serves.set()
                self._note_ready(number)
            elif line != ALIVE:
                said = line
        return said.decode(errors="replace").strip()

    def _note_ready(self, number: int) -> None:
        if number in self._unready:
            self._unready.discard(number)
            if not self._unready and not self._stopping.is_set():
                self._started()

    async def _end_in_time(self, process: Process, serves: asyncio.Event) -> None:
        """Close the worker's input when all shall stop, and kill it if it does not end in time."""
        await self._stopping.wait()
        assert process.stdin is not None
        process.stdin.close()
        if serves.is_set():
            await asyncio.sleep(self._settings.stop_s + OVERTIME_S)
            log.warning("worker killed pid=%d stop_s=%d", process.pid, self._settings.stop_s)
        with suppress(ProcessLookupError):
            process.kill()


async def _next_line(process: Process) -> bytes:
    """Return what a worker says next, nothing when it has ended; kill one that is stuck."""
    assert process.stdout is not None
    # Twice: after this process was frozen itself, the first time is over before it reads anything.
    for _ in range(2):
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                return await process.stdout.readline()
    log.error("worker stuck pid=%d", process.pid)
    with suppress(ProcessLookupError):
        process.kill()
    return await process.stdout.readline()
