"""A place where hubs run one after the other on one database, and what tests need there.

Everything has a name that was never used before: the same tests run again and again on the same
database.
"""

import itertools
import secrets
import socket
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.compat import actions
from tests.compat.browser_client import ALL_SOCKET, BrowserClient
from tests.compat.launcher import Hooks, Launcher, Work
from tests.compat.python_client import Json, PythonClient, Refused
from tests.conformance.hub_process import PASSWORD, HubProcess

ORIGIN = "http://pages.example"
"""Where the pages are loaded from; the hubs of these tests allow it."""

SETTINGS = {"HUB_ANONYMOUS_WATCH": "1", "HUB_CORS_ORIGINS": ORIGIN}
"""What the old browser client needs."""

NUMBERS = itertools.count(1)

EVENTS_MAX = 1_000
"""The most that a page of the log holds."""


def fresh(name: str) -> str:
    """Return a name that nothing has yet, also not since an earlier run."""
    return f"{name}-{secrets.token_hex(4)}-{next(NUMBERS)}"


def lasting_port() -> int:
    """Return a free port that stays free between two hubs: one below those of outgoing calls."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Home:
    """A folder and a database that outlive the hubs on them.

    Args:
        data: The folder of every hub here.
        database_url: Of PostgreSQL; empty is a SQLite file in the folder.
        settings: More of the hubs' environment.
    """

    def __init__(self, data: Path, database_url: str = "", **settings: str) -> None:
        self._data = data
        self._settings = SETTINGS | {"HUB_LOG_LEVEL": "warning"} | settings
        if database_url:
            self._settings["HUB_DATABASE_URL"] = database_url
        self._port = lasting_port()

    def start(self) -> HubProcess:
        """Start a hub where the one before it was, and return it when it is ready."""
        hub = HubProcess(self._data, self._settings, self._port)
        try:
            hub.wait_until_ready()
        except BaseException:
            hub.kill()
            raise
        return hub

    @contextmanager
    def running(self) -> "Iterator[Site]":
        """A hub, stopped properly at the end, which it must survive without a complaint."""
        site = Site(self, self.start())
        try:
            yield site
            site.clear()
            assert site.hub.stop() == 0, site.hub.last_words()
            assert site.hub.complaints() == []
        finally:
            site.hub.kill()


class Site:
    """A running hub, its administrator, and accounts, templates, jobs and workers on demand."""

    def __init__(self, home: Home, hub: HubProcess) -> None:
        self._home = home
        self.hub = hub
        self.host = hub.url
        self.admin = PythonClient(self.host, "admin", PASSWORD)
        self._jobs: list[int] = []
        self._tabs: list[BrowserClient] = []

    def restart(self, *, kindly: bool) -> None:
        """Let the hub end, asked or killed, and start another one in its place."""
        with self.away(kindly=kindly):
            pass

    @contextmanager
    def away(self, *, kindly: bool) -> Iterator[None]:
        """A time without the hub, which ends before it, asked or killed, and begins after it."""
        try:
            if kindly:
                assert self.hub.stop() == 0, self.hub.last_words()
            assert self.hub.complaints() == []
            self.hub.kill()
            yield
        finally:
            self.hub.kill()
            self.hub = self._home.start()
        assert self.hub.url == self.host

    # --- Who calls --------------------------------------------------------------------------------

    def account(self, role: str = "user", name: str | None = None) -> PythonClient:
        """Return the Python client of a new account."""
        username = name or fresh(role)
        said = {"username": username, "password": f"of {username}", "email": "", "role": role}
        actions.create(self.admin, "users", **said)
        return PythonClient(self.host, username, f"of {username}")

    def nobody(self) -> PythonClient:
        """Return a client whose account there is not."""
        return PythonClient(self.host, fresh("nobody"), "none")

    def tab(self, of: PythonClient | None = None, origin: str | None = None) -> BrowserClient:
        """Return a browser tab in which an account signs in, by default the administrator."""
        of = of or self.admin
        self._tabs.append(BrowserClient(self.host, of.username, of.password, origin=origin))
        return self._tabs[-1]

    def same(self, account: PythonClient) -> PythonClient:
        """Return another client of an account, signed in already."""
        client = PythonClient(self.host, account.username, account.password)
        client.tokens = account.signed_in()
        return client

    def as_node(self, account: PythonClient, node: int) -> PythonClient:
        """Return a client of an account that calls as one of its nodes."""
        client = self.same(account)
        client.set_node_id(node)
        return client

    def node(self, account: PythonClient) -> PythonClient:
        """Return a client that calls as a new node of an account."""
        made = actions.create(account, "nodes", ip=fresh("m"), index=0, cpu_mem=1024)
        return self.as_node(account, made["pk"])

    def launcher(
        self,
        account: PythonClient,
        work: Work | None = None,
        hooks: Hooks | None = None,
        *,
        sees: Container[int],
        ip: str = "",
        gpu: int = 0,
        compute: float | None = None,
    ) -> Launcher:
        """Return a worker program of an account on a machine of its own, unless one is named."""
        return Launcher(
            self.same(account),
            ip or fresh("m"),
            gpu,
            work=work,
            hooks=hooks,
            sees=sees,
            compute=compute,
        )

    # --- What they work on ------------------------------------------------------------------------

    def template(self, **specific: Json) -> int:
        """Return the number of a newly imported template, of the contract that asks for nothing."""
        form = template_form(**specific)
        pk: int = actions.import_template(self.admin, form)["pk"]
        return pk

    def job(self, template: int, by: PythonClient | None = None, **said: Json) -> int:
        """Return the number of a new job, all of whose transitions are told to sockets."""
        body: Json = {"input_values": {}, "notification_override": ALL_SOCKET, **said}
        pk: int = actions.create_job(by or self.admin, template, **body)["pk"]
        self._jobs.append(pk)
        return pk

    def started(self, template: int, node: PythonClient) -> int:
        """Return the number of a new job that a node runs."""
        job = self.job(template)
        actions.acquire(node, job)
        actions.start(node, job, "email")
        return job

    def shown(self, job: int) -> Json:
        """Return what the hub says of a job."""
        return actions.retrieve(self.admin, "jobs", job)

    def story(self, job: int) -> list[str]:
        """Return the names of all that happened to a job, oldest first."""
        names: list[str] = []
        asked, is_more = {"limit": str(EVENTS_MAX)}, True
        while is_more:
            page = self.admin.get(f"v1/jobs/{job}/events", **asked).json()
            names += [event["transition"] for event in page["items"]]
            asked["after"], is_more = page["cursor"], len(page["items"]) == EVENTS_MAX
        return names

    def current_job(self, node: int | None) -> int | None:
        """Return what a node works on."""
        assert node is not None
        found: int | None = actions.retrieve(self.admin, "nodes", node)["current_job"]
        return found

    def clear(self) -> None:
        """Close all tabs, and cancel the jobs that tests left to the workers of other tests."""
        while self._tabs:
            self._tabs.pop().close()
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            try:
                actions.cancel(self.admin, job)
            except Refused as refused:
                if refused.status not in (404, 409):
                    raise


def template_form(**specific: Json) -> Json:
    """Return the import form of a template that no hub has yet."""
    return {
        "name": fresh("template"),
        "description": "made by a test",
        "scope": "all",
        "licence": "Apache 2.0",
        "domain": "ic",
        "specific": {
            "job_type": "Export",
            "executor_class": "some.package.Executor",
            "required_packages": "",
            "parameters": {},
            **specific,
        },
    }
