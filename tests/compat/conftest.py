"""One hub for each database serves the tests; at night, three laps in a row on the same databases.

A lap starts new hubs on what the laps before it left.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compat.silence import Silent, silence_on
from tests.compat.site import Home, Site
from tests.servers import PrivatePostgres, require

LAPS = ["once", *(pytest.param(lap, marks=pytest.mark.nightly) for lap in ("1", "2", "3"))]

ONCE = pytest.mark.parametrize("lap", ["once"], indirect=True, scope="session")
"""Marks a test that takes so long that one lap of it is enough."""

FindHome = Callable[..., Home]
"""The home of a name on the database under test, always the same one, and its settings."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all homes are."""
    return tmp_path_factory.mktemp("compat")


@pytest.fixture(scope="session", params=LAPS)
def lap(request: pytest.FixtureRequest) -> str:
    """Which run of all tests this is."""
    return str(request.param)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def find_home(lap: str, folder: Path, request: pytest.FixtureRequest) -> FindHome:
    """How to get a home: in every lap the one of the lap before."""
    del lap
    is_embedded = request.param == "sqlite"
    server = None if is_embedded else request.getfixturevalue("postgres")

    def find(name: str, **settings: str) -> Home:
        data = folder / f"{request.param}-{name}"
        if server is None:
            return Home(data, **settings)
        is_new = not data.exists()
        url = server.create_database(data.name) if is_new else server.url(data.name)
        data.mkdir(exist_ok=True)
        return Home(data, url, **settings)

    return find


@pytest.fixture(scope="session")
def silent(find_home: FindHome) -> Iterator[Silent]:
    """Nodes that fall silent on the shared hub as soon as it is there."""
    with find_home("shared").running() as site, silence_on(site) as silent:
        yield silent


@pytest.fixture(scope="session")
def shared_site(silent: Silent) -> Site:
    return silent.site


@pytest.fixture
def site(shared_site: Site) -> Iterator[Site]:
    """The hub that most tests share; nothing that one of them leaves is offered to the next."""
    yield shared_site
    shared_site.clear()


@pytest.fixture(scope="session")
def template(shared_site: Site) -> int:
    """A template whose jobs nobody runs but who names them."""
    return shared_site.template()
