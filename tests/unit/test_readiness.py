"""What the readiness probe says, and how seldom it asks."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from channels.doorbell.memory import MemoryDoorbell
from channels.doorbell.missing import MissingDoorbell
from hub.api.health import Readiness
from orm.errors import DatabaseAway
from orm.queries import meta


@pytest.fixture
def readiness(tmp_path: Path) -> Readiness:
    return Readiness(cast(Any, None), tmp_path, MemoryDoorbell())


async def test_a_database_that_is_away_is_told_without_its_innards(
    readiness: Readiness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: object) -> None:
        raise DatabaseAway("secret-host refused")

    monkeypatch.setattr(meta, "check_writable", fail)

    found = await readiness.problems()

    assert "the database takes no writes" in found
    assert "secret-host" not in str(found)
    assert "secret-host" in caplog.text


async def test_probes_at_the_same_time_share_one_look(
    readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def look(_: object) -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)

    monkeypatch.setattr(meta, "check_writable", look)

    await asyncio.gather(*(readiness.problems() for _ in range(10)))

    assert looks == 1


def test_a_doorbell_that_is_silent_delays_and_is_no_problem(tmp_path: Path) -> None:
    doorbell = MissingDoorbell("no bell")
    readiness = Readiness(cast(Any, None), tmp_path, doorbell)

    assert len(readiness.delays) == 1
    assert readiness.delays[0].startswith("no bell: ")
    doorbell.fault = None
    assert readiness.delays == []
