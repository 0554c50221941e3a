"""A hub that will be hurt: its folder and database outlive it, so that it can be started again."""

import contextlib
import os
import time
from pathlib import Path

import httpx

from tests.bench.client import Address
from tests.bench.processes import PASSWORD
from tests.bench.world import World, create_world
from tests.conformance.hub_process import HubProcess
from tests.folding import Story, check_log, read_story

SERVING_LIMIT_S = 15.0
"""A hub that was killed serves again within this time."""

FIRST_LIMIT_S = 20.0


class Victim(HubProcess):
    """A hub process that tests may do anything to."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def listens_at(self) -> Address:
        """Where it listens."""
        return Address(*self.address)

    def client(self, token: str = "", node: int | None = None) -> httpx.Client:
        """Return a client for single calls, which reads answers of any status."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if node is not None:
            headers["Node-Id"] = str(node)
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def exit_code(self) -> int:
        """Wait until it has ended by itself, and return its exit code."""
        return self._process.wait(FIRST_LIMIT_S)

    def sockets(self) -> int:
        """Return how many sockets it has open."""
        folder = Path(f"/proc/{self.pid}/fd")
        links = []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(folder / name))
        return sum(link.startswith("socket:") for link in links)


class Stage:
    """Where hubs run on one database: they come and go, what they stored stays.

    Args:
        data: The folder of every hub here; each has a log file of its own in it.
        postgres_url: Their database; an empty one is the SQLite file in the folder.

    Attributes:
        settings: ``HUB_*`` of the hubs that are started from now on.
        serving_limit_s: They must serve within this time; the first one makes the schema and has
            ``first_limit_s``.
    """

    def __init__(self, data: Path, postgres_url: str = "") -> None:
        self.data = data
        self.database_url = postgres_url or f"sqlite:///{data / 'hub.sqlite3'}"
        self.settings = {"HUB_ADMIN_PASSWORD": PASSWORD, "HUB_LOG_LEVEL": "warning"}
        if postgres_url:
            self.settings["HUB_DATABASE_URL"] = postgres_url
        self.serving_limit_s = SERVING_LIMIT_S
        self.first_limit_s = FIRST_LIMIT_S
        self._hubs: list[Victim] = []

    def start(self) -> Victim:
        """Start a hub and return it when it serves.

        Raises:
            AssertionError: it does not serve in time.
        """
        hub = Victim(self.data, self.settings, log=f"hub-{len(self._hubs)}.log")
        self._hubs.append(hub)
        began_s = time.monotonic()
        hub.wait_until_ready()
        took_s = time.monotonic() - began_s
        # The first one makes the schema; what is promised is how soon the others are back.
        limit_s = self.serving_limit_s if len(self._hubs) > 1 else self.first_limit_s
        assert took_s < limit_s, f"served after {took_s:.1f} s"
        return hub

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a file that one process holds."""
        return self.database_url.startswith("sqlite")

    async def world(self, hub: Victim, nodes: int) -> World:
        """Sign in at a new hub, and register nodes and a template."""
        return await create_world(hub.listens_at, nodes=nodes)

    async def story(self) -> Story:
        """Return all that is stored."""
        return await read_story(self.database_url)

    async def faults(self) -> list[str]:
        """Return every broken promise about what is stored."""
        return await check_log(self.database_url)

    def clear(self) -> None:
        """End what still runs."""
        for hub in self._hubs:
            hub.kill()
