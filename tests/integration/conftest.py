"""A whole hub in this process, without a port, on a fresh copy of a prepared database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from hub.app import Hub
from hub.auth.tokens import digest
from hub.settings import Settings, load
from orm.tables import Token, User
from tests.apps import app_for
from tests.integration import KINDS, Copies, copies, migrated

Json = dict[str, Any]

ACCOUNTS = {"ada": "admin", "uma": "user", "uri": "user", "vic": "viewer"}
"""Who may sign in, with the name as the token; their numbers count from 1."""


class Caller(httpx.AsyncClient):
    """A client of the hub; every answer of 400 and above must be a problem with a code."""

    async def request(self, *args: Any, **kwargs: Any) -> httpx.Response:
        """Send a request."""
        answer = await super().request(*args, **kwargs)
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith("application/problem+json")
            problem = answer.json()
            assert problem["code"]
            assert problem["status"] == answer.status_code < 500
        return answer

    async def send_json(self, method: str, path: str, text: str) -> httpx.Response:
        """Send a JSON text as it stands."""
        headers = {"content-type": "application/json"}
        return await self.request(method, path, content=text, headers=headers)


class HubClient:
    """The hub, and a client for each of ``ACCOUNTS``."""

    def __init__(self, app: Litestar, callers: dict[str, Caller]) -> None:
        self.app = app
        self.hub: Hub = app.state.hub
        self.admin = callers["ada"]
        self.user = callers["uma"]
        self.other = callers["uri"]
        self.viewer = callers["vic"]

    async def audited(self, action: str) -> list[tuple[Any, ...]]:
        """Return actor and object of every audit row about ``action``, oldest first."""
        sql = "SELECT actor, object_type, object_pk FROM audit WHERE action = ? ORDER BY pk"
        return await self.hub.engine.fetch(sql, (action,))

    async def template(self, **members: Any) -> Json:
        """Declare a template, named ``work`` unless said otherwise."""
        answer = await self.admin.post("/v1/job-templates", json={"name": "work"} | members)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def job(self, template: int | str, **members: Any) -> Json:
        """Make a job."""
        answer = await self.user.post("/v1/jobs", json={"template": template} | members)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def node(self, caller: Caller | None = None, **members: Any) -> Json:
        """Register a node, of the plain user unless said otherwise."""
        body = {"ip": "10.0.0.1", "index": 0, "cpu_mem": 1} | members
        answer = await (caller or self.user).post("/v1/nodes/create", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def fields_of(answer: httpx.Response) -> Json:
    """Return the members of a problem that are about single fields."""
    own = {"type", "title", "status", "detail", "instance", "code"}
    return {name: texts for name, texts in answer.json().items() if name not in own}


def as_node(node: Json | int) -> dict[str, str]:
    """Return the header of a call that a node makes."""
    return {"Node-Id": str(node if isinstance(node, int) else node["pk"])}


async def _prepare(url: str) -> None:
    async with migrated(url) as engine:
        for name, role in ACCOUNTS.items():
            await User.insert(User(username=name, password_hash="x", role=role, joined_us=1))
            (row,) = await engine.fetch("SELECT pk FROM users WHERE username = ?", (name,))
            await Token.insert(
                Token(
                    account=row[0],
                    kind="access",
                    sha256=digest(name),
                    session=name,
                    created_us=1,
                )
            )


@pytest.fixture(scope="session", params=KINDS)
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copies]:
    """A database with ``ACCOUNTS`` in it, to be copied."""
    with copies(request.param, tmp_path_factory.mktemp("copies"), _prepare) as prepared:
        yield prepared


@pytest.fixture
def fresh_url(prepared: Copies) -> Iterator[str]:
    """The address of a database of the test's own, with ``ACCOUNTS`` in it."""
    with prepared.copy() as url:
        yield url


@asynccontextmanager
async def alive(app: Litestar) -> AsyncIterator[None]:
    """Run ``app`` in a task of its own: a fixture is set up in one task and ended in another."""
    started, leave = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        try:
            async with app.lifespan():
                started.set()
                await leave.wait()
        finally:
            started.set()

    life = asyncio.create_task(live())
    await started.wait()
    try:
        yield
    finally:
        leave.set()
        await life


@asynccontextmanager
async def running_hub(settings: Settings) -> AsyncIterator[HubClient]:
    """A hub that runs while the block does, on a database with ``ACCOUNTS`` in it."""
    async with AsyncExitStack() as stack:
        app = stack.enter_context(app_for(settings))
        transport = httpx.ASGITransport(app=cast(Any, app))
        await stack.enter_async_context(alive(app))
        callers = {}
        for name in ACCOUNTS:
            bearer = {"Authorization": f"Bearer {name}"}
            caller = Caller(transport=transport, base_url="http://hub", headers=bearer)
            callers[name] = await stack.enter_async_context(caller)
        yield HubClient(app, callers)


@pytest.fixture
async def hub_client(fresh_url: str, tmp_path: Path) -> AsyncIterator[HubClient]:
    """A running hub."""
    async with running_hub(load({}, data=str(tmp_path), database_url=fresh_url)) as client:
        yield client


def filtered(field: str, value: str | int) -> Json:
    """Return a list filter for one exact value."""
    return {"expressions": [{"type": "exact", "field": field, "value": value}]}
