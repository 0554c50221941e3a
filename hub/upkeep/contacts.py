"""Stores when nodes were last heard of: reads never write, so contacts wait in memory for this."""

from hub.auth.guard import NodeOwners
from hub.lifecycle.ledger import Ledger
from orm.queries import nodes


class Contacts:
    """Flushes what was heard of nodes and of their jobs."""

    def __init__(self, owners: NodeOwners, ledger: Ledger) -> None:
        self._owners = owners
        self._ledger = ledger

    async def flush(self) -> None:
        """Write all contacts since the last time."""
        heard, self._owners.heard = self._owners.heard, {}
        await nodes.seen(heard.items())
        await self._ledger.flush_contacts()
