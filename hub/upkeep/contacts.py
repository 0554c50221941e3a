"""Stores when nodes were last heard of: reads never write, so contacts wait in memory for this."""

from hub.auth.guard import NodeOwners
from hub.lifecycle.ledger import Ledger
from orm.engine import Engine
from orm.errors import StorageError
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
        heard, self._owners.heard = self._owners.heard, {}
        try:
            await nodes.seen(self._engine, heard)
        except StorageError:
            self._owners.heard = heard | self._owners.heard
            raise
        await self._ledger.flush_contacts()
