"""One of several processes that serve one port; `hub.cli.supervisor` starts it and says what to do.

It is a program of its own and no fork: threads and event loops do not survive a fork. The first
line of its standard input is its order. The end of that input means that it shall stop: because the
supervisor closed it, or because there is no supervisor any more.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click
import msgspec
import uvloop

from hub.app import create_app
from hub.cli.options import said_plainly
from hub.cli.output import log_to_stderr
from hub.cli.runner import run
from hub.settings import Settings

READY = b"ready\n"
"""What a worker writes when it serves; before it ends by an error it writes a line that says why.
"""

ALIVE = b"alive\n"
"""What a worker writes every ``BEAT_S`` seconds while its event loop turns."""

BEAT_S = 5.0

STUCK_S = 3.0
"""A stop that takes so much longer than it may is ended by the system: nobody else might."""


class Order(msgspec.Struct, frozen=True):
    """What a worker is told.

    Attributes:
        number: Which of the workers it is, from 1.
        listener: Number of the open file that is the listening socket.
        settings: Those of the hub.
    """

    number: int
    listener: int
    settings: Settings


def main() -> None:
    """Work until told to stop, and exit."""
    with open(0, "rb", buffering=0, closefd=False) as told:  # unbuffered: the loop reads the rest
        line = told.readline()
    if not line:  # the supervisor died in between
        return
    order = msgspec.json.decode(line, type=Order)
    log_to_stderr(order.settings.log_level, f" worker={order.number}")
    with _said_to_the_supervisor(), socket.socket(fileno=order.listener) as listener:
        listener.setblocking(False)
        uvloop.run(_work(order.settings, listener))


async def _work(settings: Settings, listener: socket.socket) -> None:
    stopping = asyncio.Event()

    def stop() -> None:
        signal.setitimer(signal.ITIMER_REAL, settings.stop_s + STUCK_S)
        stopping.set()

    loop = asyncio.get_running_loop()
    lifeline, _ = await loop.connect_read_pipe(lambda: _Lifeline(stop), sys.stdin)
    beating = asyncio.create_task(_beat())
    try:
        await run(create_app(settings), settings, listener, stopping, _say_ready)
    finally:
        lifeline.close()
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


class _Lifeline(asyncio.Protocol):
    """The pipe to the supervisor: nothing comes through it but its end."""

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def connection_lost(self, error: Exception | None) -> None:
        """Say that there is no supervisor, or that it wants an end."""
        self._ended()


def _say_ready() -> None:
    os.write(1, READY)


async def _beat() -> None:
    os.set_blocking(1, False)  # a supervisor that is frozen must not freeze its workers
    while True:
        await asyncio.sleep(BEAT_S)
        with suppress(OSError):
            os.write(1, ALIVE)


@contextmanager
def _said_to_the_supervisor() -> Iterator[None]:
    try:
        with said_plainly():
            yield
    except click.ClickException as error:
        os.write(1, f"{' '.join(error.message.split())}\n".encode())
        sys.exit(error.exit_code)
