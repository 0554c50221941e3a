"""``hub user``: accounts made, listed, disabled, given another password."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from hub.auth.accounts import FIRST_ADMIN
from hub.auth.permissions import Role
from hub.cli.administration import Administration, administration, through_hub
from hub.cli.options import said_plainly, settings_of, storage_flags
from hub.cli.rest import Rest, with_members
from hub.errors import HubError, NotAuthenticated
from hub.settings import Settings
from hub.wire.accounts import RoleName, UserIn, UserOut

T = TypeVar("T")

ROLES = [role.value for role in Role]
COLUMNS = ("NUMBER", "NAME", "ROLE", "STATE", "LAST SIGN-IN")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


class Reach(msgspec.Struct, frozen=True):
    """How to reach the accounts: what the options and the environment say."""

    settings: Settings
    url: str | None
    token_file: Path | None
    user: str

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Rest]:
        """Yield the running hub, signed in to.

        Raises:
            NotAuthenticated: there is neither a token nor anybody to ask for a password.
            HubError: the hub does not answer, or refuses.
        """
        async with Rest(self._address(), self._token()) as rest:
            if "Authorization" not in rest.headers:
                # First: nobody types a password for a hub that is not there.
                await rest.call("GET", "/health/live")
                await rest.sign_in(self.user, self._password(rest.url))
            yield rest

    def _password(self, url: str) -> str:
        if not sys.stdin.isatty():
            raise NotAuthenticated(
                f"the hub at {url} wants to know who asks: set HUB_TOKEN or --token-file"
            )
        with _interruptible():
            text = f"Password of {self.user} at {url}"
            asked: str = click.prompt(text, hide_input=True, err=True)
        return asked

    def _address(self) -> str:
        host = EVERYWHERE.get(self.settings.host, self.settings.host)
        return self.url or os.environ.get("HUB_URL") or f"http://{host}:{self.settings.port}"

    def _token(self) -> str:
        if self.token_file is not None:
            return self.token_file.read_text().strip()
        return os.environ.get("HUB_TOKEN", "")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question at once; asyncio would only take note of it."""
    noting = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, noting)


def reach_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the accounts are, and give the command a ``Reach``."""

    @storage_flags
    @click.option(
        "--url",
        help="A running hub to go through in any case; by default one is asked only if it holds "
        "the data folder. [HUB_URL, else http://HUB_HOST:HUB_PORT]",
    )
    @click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with an administrator's token for the running hub. [HUB_TOKEN]",
    )
    @click.option(
        "--user",
        default=FIRST_ADMIN,
        show_default=True,
        help="Whose password to ask for when there is no token.",
    )
    @wraps(command)
    def reaching(
        *,
        data: str | None,
        database_url: str | None,
        url: str | None,
        token_file: Path | None,
        user: str,
        **own: Any,
    ) -> None:
        settings = settings_of(data=data, database_url=database_url)
        command(Reach(settings, url, token_file, user), **own)

    return reaching


password_flag = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


@click.group()
def user() -> None:
    """Make, list and change accounts.

    While a hub runs on the data folder, the commands go through it, with HUB_TOKEN, --token-file or
    a password that is asked for; otherwise, and for PostgreSQL, they open the database themselves.
    The rules are the same, and the audit shows both.
    """


@user.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="user", show_default=True, help="What it may do."
)
@password_flag
@reach_flags
def add(reach: Reach, name: str, role: RoleName, password_stdin: bool) -> None:
    """Make the account NAME.

    Asks for its password on a terminal; elsewhere it makes one, and shows it once.
    """
    password, is_made = new_password(name, from_stdin=password_stdin)
    asked = UserIn(username=name, password=password, role=role)

    async def work(accounts: Administration) -> str:
        made = await accounts.add(asked)
        return f"{made.role} {made.username} added {accounts.where}"

    click.echo(run(reach, work))
    _show_made(password, is_made=is_made)


@user.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@reach_flags
def list_users(reach: Reach, as_json: bool) -> None:
    """List all accounts, disabled ones too."""
    found = run(reach, lambda accounts: accounts.listed())
    for line in map(_json, found) if as_json else table(found):
        click.echo(line)


@user.command()
@click.argument("name")
@reach_flags
def disable(reach: Reach, name: str) -> None:
    """Shut the account NAME out: it cannot sign in, and its tokens are worthless."""

    async def work(accounts: Administration) -> str:
        await accounts.disable(await accounts.named(name))
        return f"{name} is disabled, {accounts.where}"

    click.echo(run(reach, work))


@user.command()
@click.argument("name")
@password_flag
@reach_flags
def password(reach: Reach, name: str, password_stdin: bool) -> None:
    """Give the account NAME another password, and end what it is signed in to.

    Asks for it on a terminal; elsewhere it makes one, and shows it once.
    """
    chosen, is_made = new_password(name, from_stdin=password_stdin)

    async def work(accounts: Administration) -> str:
        await accounts.set_password(await accounts.named(name), chosen)
        return f"{name} has another password, {accounts.where}"

    click.echo(run(reach, work))
    _show_made(chosen, is_made=is_made)


def run(reach: Reach, work: Callable[[Administration], Awaitable[T]]) -> T:
    """Return what ``work`` does with the accounts; failures are said in one line, exit code 1."""

    async def reached() -> T:
        async with _way(reach) as accounts:
            return await work(accounts)

    with said_plainly():
        try:
            return asyncio.run(reached())
        except HubError as error:
            raise click.ClickException(with_members(error.detail, error.fields)) from error


def _way(reach: Reach) -> AbstractAsyncContextManager[Administration]:
    if reach.url:
        return through_hub(reach.connect)
    return administration(reach.settings, reach.connect)


def new_password(name: str, *, from_stdin: bool) -> tuple[str, bool]:
    """Return a password for the account ``name``, and whether it was made here.

    Asked for before anything is opened: nobody shall wait for a person.
    """
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), False
    if sys.stdin.isatty():
        text = f"New password of {name}"
        return click.prompt(text, hide_input=True, confirmation_prompt=True, err=True), False
    return secrets.token_urlsafe(18), True


def _show_made(chosen: str, *, is_made: bool) -> None:
    if is_made:
        click.echo(f"password: {chosen}  (shown only this once)")


def _json(found: UserOut) -> str:
    return msgspec.json.encode(found).decode()


def table(found: list[UserOut]) -> list[str]:
    """Return the lines of a table of accounts, columns as wide as they need to be."""
    rows = [COLUMNS, *(_cells(row) for row in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(row: UserOut) -> tuple[str, ...]:
    state = "active" if row.is_active else "disabled"
    return str(row.pk), row.username, row.role, state, row.last_login or "never"
