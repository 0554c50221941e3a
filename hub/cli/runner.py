"""Our own runner around uvicorn: the sockets we make, the stop we want.

uvicorn by itself closes every WebSocket at once on SIGTERM and waits for ever for what does not
close.
"""

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar

from hub.app import Hub
from hub.cli.http import BoundedHttp
from hub.errors import Conflict, Unavailable
from hub.live.sink import DirectProtocol
from hub.settings import Settings

log = logging.getLogger("hub.cli")

MESSAGE_MAX_BYTES = 65_536

OTHER_FILES = 256
"""Open files that are no watchers: requests, outputs, the database."""


class LogReplaced(Conflict):
    """The log in the database is no longer the one that this process has shown: start it again."""

    code = "log_replaced"


class StartFailed(Unavailable):
    """The hub did not start; its log says why."""

    code = "start_failed"


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us, and says when it has started."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so if that went well."""
        await super().startup(sockets)
        if self.started:
            self._say_started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def run(
    app: Litestar,
    settings: Settings,
    listener: socket.socket,
    stopping: asyncio.Event | None = None,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully; a second signal stops at once.

    Args:
        app: What to serve.
        settings: Of the hub.
        listener: Where connections come from.
        stopping: Set by whoever else may want this to stop.
        started: Called when connections are taken.

    Raises:
        StartFailed: connections never were.
        LogReplaced: the database was put back, or its epoch changed, under the running hub.
    """
    hub: Hub = app.state.hub
    sockets_s, server_s = shares_of_stop(settings.stop_s)
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ws=DirectProtocol,
        ws_max_size=MESSAGE_MAX_BYTES,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=server_s,
    )
    server = _Server(config, started)
    stopping = stopping or asyncio.Event()
    _collect_seldom()
    allow_open_files(settings.max_sockets + OTHER_FILES)
    _on_signals(server, stopping)
    async with asyncio.TaskGroup() as group:
        group.create_task(_stop_when(stopping, server, hub, sockets_s))
        guarding = group.create_task(_stop_if_replaced(hub, stopping))
        await server.serve(sockets=[listener])
        stopping.set()
        guarding.cancel()
    if not server.started:
        raise StartFailed
    if hub.epochs.replaced.is_set():
        raise LogReplaced


def shares_of_stop(stop_s: int) -> tuple[float, int]:
    """Divide a stop's seconds: for sockets to close, then for requests to end (1 at least)."""
    sockets_s = stop_s / 2
    return sockets_s, max(1, int(stop_s - sockets_s))


def allow_open_files(needed: int) -> None:
    """Let this process open as many files as the system permits; warn if that is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_endless = hard == resource.RLIM_INFINITY
    # Not every system takes "endless" as the limit in force.
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed) if is_endless else hard, hard))
    if not is_endless and hard < needed:
        log.warning("too few open files allowed limit=%d needed=%d", hard, needed)


def _collect_seldom() -> None:
    """Keep the garbage collector from walking all that lives long again and again.

    Measured: with Python's defaults, a full collection of the event ring and the application stalls
    the loop often enough to cost a seventh of the throughput and two thirds of the p99 latency.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def _on_signals(server: _Server, stopping: asyncio.Event) -> None:
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        # Only a second signal: that a supervisor wants the same end is no reason to hurry.
        server.force_exit = signals > 1
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _stop_if_replaced(hub: Hub, stopping: asyncio.Event) -> None:
    await hub.epochs.replaced.wait()
    stopping.set()


async def _stop_when(stopping: asyncio.Event, server: _Server, hub: Hub, sockets_s: float) -> None:
    await stopping.wait()
    hub.drain(sockets_s)
    await hub.sockets.drained(within_s=sockets_s)
    server.should_exit = True
