"""One SQLite file takes one process."""

import asyncio

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
