"""One SQLite file takes one process, and what several processes need is asked for at the start."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.stage import Stage, Victim


async def test_a_second_hub_on_the_same_folder_is_refused_in_one_line(embedded: Stage) -> None:
    first = embedded.start()
    second = Victim(embedded.data, {"HUB_LOG_LEVEL": "warning"})
    try:
        assert await asyncio.to_thread(second.exit_code) == 1
    finally:
        second.kill()
    (line,) = second.last_words().strip().splitlines()
    assert str(embedded.data) in line
    assert f"process {first.pid}" in line
    assert "HUB_DATABASE_URL" in line
    with first.client() as client:
        assert client.get("/health/ready").status_code == 200


async def test_the_folder_is_free_again_when_its_hub_was_killed(embedded: Stage) -> None:
    embedded.start().kill()
    assert embedded.start().stop() == 0


async def test_a_hub_with_an_outputs_folder_of_its_own_is_refused_in_one_line(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    stage = Stage(tmp_path / "one", new_database())
    second = None
    try:
        first = stage.start()
        second = Victim(tmp_path / "two", stage.settings)
        assert await asyncio.to_thread(second.exit_code) == 1
        (line,) = second.last_words().strip().splitlines()
        assert f"{tmp_path / 'two'}/outputs" in line
        with first.client() as client:
            assert client.get("/health/ready").status_code == 200
    finally:
        stage.clear()
        if second is not None:
            second.kill()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HUB_WORKERS": "2"}, "HUB_DATABASE_URL"),
        ({"HUB_WORKERS": "0"}, "workers"),
        ({"HUB_REDIS_URL": "http://127.0.0.1/0"}, "redis://"),
        ({"HUB_REDIS_URL": "redis://127.0.0.1:x/0"}, "HUB_REDIS_URL"),
    ],
)
async def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    hub = Victim(tmp_path, settings)
    try:
        assert await asyncio.to_thread(hub.exit_code) == 1
    finally:
        hub.kill()
    (line,) = hub.last_words().strip().splitlines()
    assert said in line


async def test_more_connections_than_postgresql_has_are_refused(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    settings = {"HUB_DATABASE_URL": new_database(), "HUB_WORKERS": "20"}
    hub = Victim(tmp_path, settings | {"HUB_DATABASE_POOL": "50"})
    try:
        assert await asyncio.to_thread(hub.exit_code) == 1
    finally:
        hub.kill()
    (line,) = hub.last_words().strip().splitlines()
    assert "HUB_DATABASE_POOL=50" in line
    assert "max_connections" in line
