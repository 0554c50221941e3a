"""Accounts from the command line: through the hub that runs, or in the database when none does.

Both ways end in the rules of ``hub.auth.accounts``, audit included.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from hub import clock
from hub.api.users import user_out
from hub.auth.account_rules import username_problem
from hub.auth.accounts import Accounts
from hub.auth.tokens import Tokens
from hub.cli.folder import FolderInUse, data_folder
from hub.cli.rest import NoAnswer, Rest
from hub.cli.schema import SchemaOutdated
from hub.errors import Conflict, NotFound
from hub.lifecycle.commands import Actor
from hub.settings import Settings
from hub.wire.accounts import UserIn, UserOut, UserPatchIn
from orm.engine import SQLITE, Engine, bind, make_engine
from orm.migrate import SchemaState, state
from orm.queries import meta

OPERATOR = Actor(None, is_admin=True, session="cli")
"""Whoever may open the database itself; the audit shows no account, and this session."""

ALL = {"include_inactive": True}

Connect = Callable[[], AbstractAsyncContextManager[Rest]]
"""How to reach a hub as an administrator; done only when it is needed."""


class FirstNotAdmin(Conflict):
    """The first account must be an administrator."""

    code = "first_not_admin"


class Administration(Protocol):
    """Accounts; ``where`` says in words which. Every change raises a ``HubError`` when refused."""

    where: str

    async def add(self, asked: UserIn) -> UserOut:
        """Make an account."""

    async def listed(self) -> list[UserOut]:
        """Return all accounts, disabled ones too."""

    async def named(self, username: str) -> UserOut:
        """Return the account with this name; ``NotFound`` when there is none."""

    async def disable(self, user: UserOut) -> None:
        """Shut an account out; again is no change."""

    async def set_password(self, user: UserOut, password: str) -> None:
        """Give an account another password and end what it is signed in to."""


@asynccontextmanager
async def administration(settings: Settings, connect: Connect) -> AsyncIterator[Administration]:
    """Yield the way to the accounts: the database if it is free, else the hub that holds it.

    A PostgreSQL database is always free: it takes many processes.

    Raises:
        NotFound: there is no database yet.
        SchemaOutdated: the database is another program version's.
        HubError: no hub can be reached as an administrator.
    """
    with ExitStack() as held:
        way: AbstractAsyncContextManager[Administration] = _in_database(settings)
        if settings.is_embedded:
            check_exists(settings)
            try:
                held.enter_context(data_folder(settings))
            except FolderInUse:
                way = _through_holder(settings, connect)
        async with way as chosen:
            yield chosen


def check_exists(settings: Settings) -> None:
    """Refuse to make a database where there is none.

    Raises:
        NotFound: the SQLite file is not there.
    """
    if settings.is_embedded and not Path(settings.database.removeprefix(SQLITE)).is_file():
        raise NotFound(
            f"there is no database in {settings.data_dir} yet: `hub serve` makes it; "
            "--data names another folder"
        )


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Engine]:
    """Yield the database, opened by this process.

    Raises:
        SchemaOutdated: it is another program version's.
    """
    engine = make_engine(settings.database)
    await engine.start()
    try:
        bind(engine)
        found = await state(engine)
        if found != SchemaState.CURRENT:
            raise SchemaOutdated(
                f"the schema of the database is {found}, not this program's: `hub migrate` brings "
                "an older one up"
            )
        await meta.ensure(engine, clock.wall_us())
        yield engine
    finally:
        await engine.stop()


@asynccontextmanager
async def _in_database(settings: Settings) -> AsyncIterator["Direct"]:
    async with opened(settings) as engine:
        tokens = Tokens(engine, settings.access_token_s, settings.refresh_token_s)
        yield Direct(Accounts(engine, tokens))


@asynccontextmanager
async def _through_holder(settings: Settings, connect: Connect) -> AsyncIterator["Remote"]:
    try:
        async with through_hub(connect) as remote:
            yield remote
    except NoAnswer as error:
        raise NoAnswer(
            f"{settings.data_dir} is in use, but {error.detail}; --url says where its hub is"
        ) from error


@asynccontextmanager
async def through_hub(connect: Connect) -> AsyncIterator["Remote"]:
    """Yield the way through a running hub."""
    async with connect() as rest:
        yield Remote(rest)


class Direct:
    """Accounts in the database that this process has opened."""

    where = "in the database"

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def add(self, asked: UserIn) -> UserOut:
        """Make an account; the first one of all is an administrator's."""
        if asked.role != "admin" and not await self.listed():
            raise FirstNotAdmin
        return user_out(await self._accounts.add(OPERATOR, asked))

    async def listed(self) -> list[UserOut]:
        """Return all accounts, disabled ones too."""
        return [user_out(row) for row in await self._accounts.listed(include_inactive=True)]

    async def named(self, username: str) -> UserOut:
        """Return the account with this name."""
        row = await self._accounts.by_name(username)
        if row is None:
            raise _missing(username)
        return user_out(row)

    async def disable(self, user: UserOut) -> None:
        """Shut an account out."""
        await self._accounts.disable(OPERATOR, user.pk)

    async def set_password(self, user: UserOut, password: str) -> None:
        """Give an account another password."""
        await self._accounts.set_password(OPERATOR, user.pk, password)


class Remote:
    """Accounts of a running hub."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.where = f"through the hub at {rest.url}"

    async def add(self, asked: UserIn) -> UserOut:
        """Make an account."""
        return await self._rest.ask("POST", "/v1/users/create", UserOut, asked)

    async def listed(self) -> list[UserOut]:
        """Return all accounts, disabled ones too, as far as the hub lists them."""
        return await self._rest.ask("POST", "/v1/users/list", list[UserOut], ALL)

    async def named(self, username: str) -> UserOut:
        """Return the account with this name."""
        # The hub would take digits for a number, and a slash for a part of the path.
        if username_problem(username):
            raise _missing(username)
        path = f"/v1/users/{quote(username, safe='')}"
        found = await self._rest.ask("GET", path, list[UserOut])
        if not found:
            raise _missing(username)
        return found[0]

    async def disable(self, user: UserOut) -> None:
        """Shut an account out."""
        await self._rest.call("DELETE", f"/v1/users/{user.pk}")

    async def set_password(self, user: UserOut, password: str) -> None:
        """Give an account another password."""
        await self._rest.call("PATCH", f"/v1/users/{user.pk}", UserPatchIn(password=password))


def _missing(username: str) -> NotFound:
    return NotFound(f"there is no account named {username!r}")
