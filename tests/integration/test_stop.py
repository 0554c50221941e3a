"""A stop ends everything, in time, whatever still hangs."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any, cast

import pytest

from hub.app import Hub
from hub.errors import Unavailable
from hub.lifecycle.commands import Actor, Touch
from hub.settings import Settings
from orm.errors import DatabaseAway
from orm.migrate import migrate
from orm.queries import nodes
from tests.conformance.hub_process import running_hub


async def test_a_database_that_is_away_does_not_keep_the_ledger_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(Settings(data=str(tmp_path)))
    await hub.engine.start()
    await migrate(hub.engine)
    await hub.engine.stop()

    async def fail(*_: object) -> None:
        raise DatabaseAway("gone")

    before = asyncio.all_tasks()
    async with hub.running(cast(Any, None)):
        monkeypatch.setattr(nodes, "seen", fail)

    with pytest.raises(Unavailable):
        await hub.ledger.execute(Touch(actor=Actor(None), job=1, ago_us=1))
    assert asyncio.all_tasks() == before


def test_a_request_that_never_ends_does_not_hold_up_a_stop(tmp_path: Path) -> None:
    begun = b"POST /v1/auth/obtain HTTP/1.1\r\nHost: hub\r\nContent-Length: 9\r\n\r\n{"
    with (
        running_hub(tmp_path, {"HUB_STOP_S": "1"}) as hub,
        socket.create_connection(hub.address) as peer,
    ):
        peer.sendall(begun)
        began_s = time.monotonic()
        assert hub.stop() == 0
        assert time.monotonic() - began_s < 3.0
