"""Runs chores again and again; one that fails is logged and tried at its next turn."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from orm.errors import StorageError

log = logging.getLogger("hub.upkeep")


class Chore(msgspec.Struct, frozen=True):
    """Something to do every ``every_s`` seconds."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


async def tick(chore: Chore) -> None:
    """Do ``chore`` until cancelled."""
    while True:
        await asyncio.sleep(chore.every_s)
        try:
            await chore.run()
        except StorageError as error:
            log.warning("chore put off name=%s error=%s", chore.name, error)
        except Exception:
            log.exception("chore failed name=%s", chore.name)
