"""What the commands share: settings, and failures said in one line."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from hub.errors import HubError
from hub.settings import Settings, load
from orm.errors import StorageError


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn our own errors into one line on stderr and exit code 1."""
    try:
        yield
    except HubError as error:
        about = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.fields.items())
        raise click.ClickException(f"{error.detail}{': ' if about else ''}{about}") from error
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}: {error.filename or ''}") from error
    except StorageError as error:
        raise click.ClickException(f"the database does not answer: {error}") from error


def settings_of(**flags: Any) -> Settings:
    """Return the settings: ``HUB_*`` from the environment, a flag that was given wins."""
    with said_plainly():
        return load(os.environ, **flags)


def storage_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--data`` and ``--database-url`` to a command."""
    data = click.option(
        "--data", metavar="DIR", help="Folder of database, outputs and lock. [HUB_DATA, ./hub-data]"
    )
    url = click.option(
        "--database-url",
        metavar="URL",
        help="postgresql://user:password@host/name; without it one SQLite file. [HUB_DATABASE_URL]",
    )
    return data(url(command))
