"""What a hub writes to its terminal: log lines, and the one line that says what runs where."""

import logging
import socket
import sys
from importlib.metadata import version
from urllib.parse import urlsplit

from hub.settings import Settings


def log_to_stderr(level: str, suffix: str = "") -> None:
    """Write log lines as ``time level logger message`` to stderr, with ``suffix`` at their end."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=f"%(asctime)s %(levelname)s %(name)s %(message)s{suffix}",
    )
    for name in ("uvicorn.error", "httpx", "asyncio", "piccolo"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def runs_on(settings: Settings, listener: socket.socket) -> str:
    """Say in one line where the hub is and what it runs on; never a password."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    kind = "SQLite" if settings.is_embedded else "PostgreSQL"
    server = urlsplit(settings.database)  # a password may stand anywhere else in it
    database = settings.database_file or f"{server.hostname or ''}{server.path}"
    watch = ", anonymous watching on" if settings.anonymous_watch else ""
    return (
        f"hub {version('realtime-job-hub')} at http://{shown}:{port} on {kind} "
        f"({database}), outputs in {settings.outputs_dir}, "
        f"{_processes(settings)}{watch}"
    )


def _processes(settings: Settings) -> str:
    count = "one process" if settings.workers == 1 else f"{settings.workers} processes"
    if settings.redis_url:
        redis = urlsplit(settings.redis_url)
        return f"{count}, Redis at {redis.hostname or redis.path}"
    return count if settings.workers == 1 else f"{count} without Redis (degraded)"
