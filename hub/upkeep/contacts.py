"""Stores when nodes were last heard of: reads never write, so contacts wait in memory for this."""

from collections.abc import Mapping

from hub import clock
from hub.auth.guard import NodeOwners
from hub.lifecycle.ledger import Ledger
from orm.engine import Engine
from orm.queries import nodes


class Contacts:
    """Flushes what was heard of nodes and of their jobs; what could not be written is kept."""

    def __init__(self, engine: Engine, owners: NodeOwners, ledger: Ledger) -> None:
        self._engine = engine
        self._owners = owners
        self._ledger = ledger

    async def flush(self) -> None:
        """Write all contacts since the last time.

        Raises:
            StorageError: the database did not take them.
        """

        async def write(ago_us: Mapping[int, int]) -> dict[int, int]:
            return await nodes.seen(self._engine, ago_us, clock.wall_us())

        await self._owners.contacts.store(write)
        await self._ledger.flush_contacts()
