"""The stage: SQLite and PostgreSQL alike."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.stage import Stage
from tests.servers import PrivatePostgres, require


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """How to get an empty PostgreSQL database of one's own, on a server that stays up."""
    require(PrivatePostgres)
    numbers = itertools.count()
    with PrivatePostgres(durable=False) as server:
        yield lambda: server.create_database(f"faults_{next(numbers)}")


@pytest.fixture(params=["sqlite", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage on either database."""
    url = ""
    if request.param == "postgres":
        new_database: Callable[[], str] = request.getfixturevalue("new_database")
        url = new_database()
    made = Stage(tmp_path / "hub", url)
    yield made
    made.clear()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stage]:
    """A stage on SQLite."""
    made = Stage(tmp_path / "hub")
    yield made
    made.clear()
