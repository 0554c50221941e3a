"""``hub migrate``."""

import asyncio

import click

from hub.cli.folder import data_folder
from hub.cli.options import said_plainly, settings_of, storage_flags
from hub.cli.schema import TOO_NEW, SchemaOutdated
from hub.settings import Settings
from orm.engine import bind, make_engine
from orm.migrate import SchemaState, state
from orm.migrate import migrate as run_migrations


@click.command()
@storage_flags
def migrate(**flags: str | None) -> None:
    """Bring the database to the newest schema.

    Safe to run again, and from several machines at once.
    """
    settings = settings_of(**flags)
    with said_plainly(), data_folder(settings):
        click.echo(asyncio.run(_migrate(settings)))


async def _migrate(settings: Settings) -> str:
    engine = make_engine(settings.database)
    await engine.start()
    try:
        bind(engine)
        before = await state(engine)
        if before == SchemaState.NEWER:
            raise SchemaOutdated(TOO_NEW)
        if before == SchemaState.CURRENT:
            return "the schema is the newest already"
        await run_migrations(engine)
        return f"the schema was {before} and is the newest now"
    finally:
        await engine.stop()
