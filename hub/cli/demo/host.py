"""The demo's hub: a process of its own, on a free port, with its data where the user is told."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from hub.auth.accounts import FIRST_ADMIN
from hub.cli.demo.children import Child, running, unless
from hub.cli.rest import NoAnswer, Refused, Rest
from hub.errors import BadCredentials

START_S = 30.0

PASSWORD_VARIABLE = "HUB_ADMIN_PASSWORD"

LISTENING = re.compile(r" at (http://\S+) on (\S+)")


class HubNotReady(NoAnswer):
    """The hub did not begin to work."""

    code = "hub_not_ready"


class Place(msgspec.Struct, frozen=True):
    """Where everything of one demo is: the hub's data, and beside it what the demo adds."""

    data: Path

    @property
    def folder(self) -> Path:
        """Logs and downloads."""
        return self.data / "demo"

    @property
    def hub_log(self) -> Path:
        """What the hub logs."""
        return self.folder / "hub.log"

    @property
    def node_log(self) -> Path:
        """What the node complains about."""
        return self.folder / "node.log"


class RunningHub(msgspec.Struct, frozen=True):
    """A hub that answers; ``database`` is what it runs on, in a word."""

    child: Child
    url: str
    database: str
    password: str


@asynccontextmanager
async def hub_running(place: Place, port: int) -> AsyncIterator[RunningHub]:
    """Run a hub inside the block, with the ``HUB_*`` settings of our environment.

    Raises:
        ProcessEnded: it refused to run; its last words say why.
        HubNotReady: it did not listen in time, or cannot work.
    """
    given = {name: value for name, value in os.environ.items() if name.startswith("HUB_")}
    password = given.get(PASSWORD_VARIABLE) or secrets.token_urlsafe(18)
    arguments = ["hub", "serve", "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--data", str(place.data)]
    environment = {**given, PASSWORD_VARIABLE: password}
    async with running("the hub", arguments, environment, place.hub_log) as child:
        url, database = await unless([child.loss()], _ready(child))
        yield RunningHub(child, url, database, password)


async def _ready(child: Child) -> tuple[str, str]:
    try:
        async with asyncio.timeout(START_S):
            url, database = await _listening(child)
    except TimeoutError as error:
        raise HubNotReady(f"the hub did not listen within {START_S:.0f} seconds") from error
    async with Rest(url) as rest:
        # The socket listens already: this waits until the hub behind it answers.
        await rest.call("GET", "/health/ready")
    return url, database


async def _listening(child: Child) -> tuple[str, str]:
    async for line in child.lines():
        if found := LISTENING.search(line):
            return found[1], found[2]
    raise HubNotReady("the hub did not say where it listens")


async def sign_in(rest: Rest, password: str) -> None:
    """Sign in as the first administrator.

    Raises:
        BadCredentials: the database is not new, and has another password for that name.
    """
    try:
        await rest.sign_in(FIRST_ADMIN, password)
    except Refused as refusal:
        if refusal.status != 401:
            raise
        raise BadCredentials(
            f"this database has an account `{FIRST_ADMIN}` with another password: set "
            f"{PASSWORD_VARIABLE} to it, or use an empty database or folder"
        ) from refusal
