"""``hub epoch``: every cursor made void, when the operator knows that the log was put back."""

import asyncio

import click

from hub.cli.administration import OPERATOR, check_exists, opened
from hub.cli.folder import data_folder
from hub.cli.options import said_plainly, settings_of, storage_flags
from hub.settings import Settings
from hub.upkeep.epochs import rotate as rotate_epoch
from orm.queries import meta


@click.group()
def epoch() -> None:
    """Change which cursors are good."""


@epoch.command()
@storage_flags
def rotate(**flags: str | None) -> None:
    """Make every cursor void: watchers begin again with the present state.

    After putting back a database together with its data folder. Nothing is lost. A hub on SQLite
    must be stopped first; those on PostgreSQL notice within a second and end with exit code 1.
    """
    settings = settings_of(**flags)
    with said_plainly():
        check_exists(settings)
        with data_folder(settings):
            click.echo(asyncio.run(_rotate(settings)))


async def _rotate(settings: Settings) -> str:
    async with opened(settings) as engine:
        before = (await meta.clock(engine)).epoch
        made = await rotate_epoch(engine, before, OPERATOR, "asked for")
    return f"the epoch was {before} and is {made} now" if made else "somebody else was faster"
