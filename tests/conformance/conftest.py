"""One hub for each database serves all tests that ask for no special settings."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from tests.conformance.foreign import World, world_on
from tests.conformance.hub_process import HubProcess, StartHub, running_hub
from tests.conformance.plain_socket import Stage
from tests.servers import PrivatePostgres, require


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    require(PrivatePostgres)
    with PrivatePostgres(durable=False) as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def start_hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StartHub:
    """Start one more hub, on an empty database of the kind under test."""
    is_embedded = request.param == "sqlite"
    server = None if is_embedded else request.getfixturevalue("postgres")

    def start(**settings: str) -> AbstractContextManager[HubProcess]:
        data = tmp_path_factory.mktemp("hub")
        if server is not None:
            settings["HUB_DATABASE_URL"] = server.create_database(data.name)
        return running_hub(data, settings)

    return start


@pytest.fixture(scope="session")
def world(start_hub: StartHub) -> Iterator[World]:
    with start_hub() as hub, world_on(hub) as world:
        yield world
        assert hub.stop() == 0
        assert hub.complaints() == []


@pytest.fixture(scope="module")
def stage(world: World) -> Stage:
    return Stage(world)
