"""``hub serve``."""

import logging
import socket
import sys
from importlib.metadata import version
from urllib.parse import urlsplit

import click
import uvloop

from hub.addresses import is_loopback
from hub.app import create_app
from hub.cli.folder import data_folder
from hub.cli.listening import listening_socket
from hub.cli.options import said_plainly, settings_of, storage_flags
from hub.cli.runner import run
from hub.cli.schema import prepare
from hub.settings import Settings, described
from orm.engine import make_engine

SETTINGS = "\b\nSettings, each an environment variable [default]:\n" + "\n".join(
    f"  {name:<24} {meaning} [{default or 'empty'}]" for name, default, meaning in described()
)


@click.command(epilog=SETTINGS)
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [HUB_HOST, 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one. [HUB_PORT, 8000]")
@storage_flags
@click.option("--log-level", help="debug, info, warning or error. [HUB_LOG_LEVEL, info]")
def serve(**flags: str | int | None) -> None:
    """Run the hub. The first start makes the schema and the administrator `admin`.

    A flag wins over its environment variable.
    """
    settings = settings_of(**flags)
    log_to_stderr(settings.log_level)
    with said_plainly(), data_folder(settings):
        listener = listening_socket(settings.host, settings.port)
        with listener:
            uvloop.run(_serve(settings, listener))


def log_to_stderr(level: str) -> None:
    """Write log lines as ``time level logger message`` to stderr."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in ("uvicorn.error", "httpx", "asyncio", "piccolo"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    made = await _prepare(settings)
    app = create_app(settings)
    if made is not None and not settings.admin_password:
        click.echo(f"administrator: admin  password: {made}  (shown only this once)")
    click.echo(runs_on(settings, listener))
    await run(app, settings, listener)


async def _prepare(settings: Settings) -> str | None:
    engine = make_engine(settings.database)
    await engine.start()
    try:
        return await prepare(engine, settings, is_loopback=is_loopback(settings.host))
    finally:
        await engine.stop()


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
        f"one process{watch}"
    )
