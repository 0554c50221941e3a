"""``hub demo``."""

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import NoReturn

import click
import httpx

from hub.cli.demo.children import unless
from hub.cli.demo.host import Place
from hub.cli.demo.play import Options, perform
from hub.cli.demo.screen import screen
from hub.errors import HubError, Unavailable

SITE_PACKAGES = Path(httpx.__file__).parents[1]
"""The folder that our own dependencies are installed in."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Unavailable):
    """The demo was interrupted."""

    code = "interrupted"


@click.command()
@click.option(
    "--keep", is_flag=True, help="Leave the hub running until Ctrl-C, and show how to sign in."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Port of the hub on 127.0.0.1; 0, the default, takes a free one.",
)
@click.option("--data", metavar="DIR", help="The hub's data folder. [a new temporary folder]")
@click.option(
    "--folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SITE_PACKAGES,
    help="The folder to read instead of site-packages.",
)
def demo(keep: bool, port: int, data: str | None, folder: Path) -> None:
    """Show the whole way of a job on real files, in seconds, without a network.

    Starts a hub in a temporary folder on a free port, and a node as a process of its own that works
    over HTTP like any foreign node. Submits a job that hashes and counts each .py file of the
    installed site-packages, shows its progress live from the WebSocket and checks that no message
    is missing. Downloads both outputs (a CSV and a JSON summary), compares their digests with the
    hub's and hashes every file again. Says where everything is; hub and node are stopped then,
    the folder stays.

    The hub takes the HUB_* settings of the environment, also HUB_DATABASE_URL. For a database that
    has accounts already set HUB_ADMIN_PASSWORD to the password of `admin`.

    Exit code 0 only if everything was verified.
    """
    place = Place(Path(data or tempfile.mkdtemp(prefix="hub-demo-")).expanduser().resolve())
    options = Options(place, folder.resolve(), port, keep)
    try:
        str(options.folder).encode()
        place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(_until_interrupted(options))
    except UnicodeEncodeError as error:
        raise click.ClickException("the name of the folder to read is not Unicode") from error
    except OSError as error:
        raise click.ClickException(f"{error}; the hub's log is {place.hub_log}") from error
    except HubError as error:
        raise click.ClickException(f"{error.detail}; the hub's log is {place.hub_log}") from error


async def _until_interrupted(options: Options) -> None:
    asked, kept = asyncio.Event(), asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    try:
        with screen() as shown:
            await unless([_interruption(asked)], perform(options, shown, kept))
    except Interrupted:
        if not kept.is_set():
            raise
        click.echo("The hub has stopped.")


async def _interruption(asked: asyncio.Event) -> NoReturn:
    await asked.wait()
    raise Interrupted
