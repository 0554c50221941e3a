"""Writes into the audit what calls made suspicious: no call waits for that."""

from hub import clock
from hub.auth.shared_nodes import Shared, SharedNodes
from hub.lifecycle.auditing import entry
from orm.engine import Engine
from orm.errors import StorageError
from orm.queries import audit
from orm.rows import AuditEntry


class Alarms:
    """Takes what was noticed of nodes into the audit."""

    def __init__(self, engine: Engine, shared: SharedNodes) -> None:
        self._engine = engine
        self._shared = shared

    async def write(self) -> int:
        """Write all that was noticed since the last time, and return how much that was.

        Raises:
            StorageError: the database did not take it; it is written the next time.
        """
        found = self._shared.taken()
        if not found:
            return 0
        try:
            async with self._engine.transaction() as transaction:
                await audit.append(transaction, [_noted(one) for one in found], clock.wall_us())
        except StorageError:
            self._shared.put_back(found)
            raise
        return len(found)


def _noted(shared: Shared) -> AuditEntry:
    """Return the entry: whose call it was, and which other session had spoken for the node."""
    actor = shared.actor
    return entry(actor, "nodes.shared_identity", "node", actor.node, before=shared.other)
