"""One hub for each database, whose log says all it can say, serves all of these tests."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.conftest import postgres
from tests.conformance.foreign import World, good
from tests.conformance.hub_process import running_hub
from tests.fuzz.ground import Ground
from tests.fuzz.operations import Operation, described

__all__ = ["postgres"]


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def ground(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    data = tmp_path_factory.mktemp("fuzz")
    settings = {"HUB_LOG_LEVEL": "debug"}
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        settings["HUB_DATABASE_URL"] = server.create_database(data.name)
    with (
        running_hub(data, settings) as hub,
        httpx.Client(base_url=hub.url, trust_env=False, timeout=10.0) as lasting,
    ):
        yield Ground(World(hub, lasting, lasting), lasting, data / "server.log")
        assert hub.stop() == 0
        assert hub.complaints() == []


@pytest.fixture(scope="session")
def operations(ground: Ground) -> dict[str, Operation]:
    document = good(ground.world.nobody.get("/schema/openapi.json"))
    return {operation.action: operation for operation in described(document)}
