"""``hub serve``."""

import asyncio
import socket

import click
import uvloop

from hub.addresses import is_loopback
from hub.app import create_app
from hub.cli.folder import data_folder
from hub.cli.listening import listening_socket
from hub.cli.options import said_plainly, settings_of, storage_flags
from hub.cli.output import log_to_stderr, runs_on
from hub.cli.runner import run
from hub.cli.schema import check_connections, check_outputs, prepare
from hub.cli.supervisor import Supervisor
from hub.settings import Settings, described
from orm.engine import make_engine

SETTINGS = "\b\nSettings, each an environment variable [default]:\n" + "\n".join(
    f"  {name:<24} {meaning} [{default or 'empty'}]" for name, default, meaning in described()
)


@click.command(epilog=SETTINGS)
@click.option("--host", metavar="ADDRESS", help="Address to listen on. [HUB_HOST, 127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one. [HUB_PORT, 8000]")
@storage_flags
@click.option("--workers", type=int, help="Processes; needs PostgreSQL. [HUB_WORKERS, 1]")
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
            if settings.workers == 1:
                uvloop.run(_serve(settings, listener))
            else:
                asyncio.run(_supervise(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    """Serve in this very process."""
    await _prepare(settings)
    app = create_app(settings)
    click.echo(runs_on(settings, listener))
    await run(app, settings, listener)


async def _supervise(settings: Settings, listener: socket.socket) -> None:
    """Have several processes serve."""
    await _prepare(settings)
    await Supervisor(settings, listener, lambda: click.echo(runs_on(settings, listener))).run()


async def _prepare(settings: Settings) -> None:
    engine = make_engine(settings.database)
    await engine.start()
    try:
        await check_connections(engine, settings)
        await check_outputs(engine, settings)
        made = await prepare(engine, settings, is_loopback=is_loopback(settings.host))
    finally:
        await engine.stop()
    if made is not None and not settings.admin_password:
        click.echo(f"administrator: admin  password: {made}  (shown only this once)")
