"""Bytes that a node brings which had the job once: kept for an administrator, never an output."""

import logging

from hub import clock
from hub.outputs.store import StoredBytes
from orm.engine import Engine
from orm.queries import quarantine
from orm.queries.quarantine import Late

log = logging.getLogger("hub.outputs")

A_JOB_MAX = 100
"""Late uploads that are kept of one job; the oldest of more go."""

AT_ONCE = 1_000
SECOND_US = 1_000_000


class Quarantine:
    """What is kept apart of late uploads.

    Args:
        engine: Where it is written down; the bytes are in the output store.
        limit_bytes: The largest that is kept; 0 keeps none.
        life_s: How long it is kept.
    """

    def __init__(self, engine: Engine, *, limit_bytes: int, life_s: int) -> None:
        self._engine = engine
        self._life_s = life_s
        self.limit_bytes = limit_bytes

    def may_take(self, size: int | None) -> bool:
        """Whether an upload may be kept that says this of its size, ``None`` for nothing."""
        return self.limit_bytes > 0 and (size or 0) <= self.limit_bytes

    async def keep(self, late: Late, stored: StoredBytes) -> bool:
        """Write down what came; return whether it is kept.

        Raises:
            StorageError: the database does not take it.
        """
        if not self.may_take(stored.size):
            return False
        now_us = clock.wall_us()
        is_kept = await quarantine.keep(
            self._engine, late, stored.sha256, stored.size, now_us=now_us, most=A_JOB_MAX
        )
        if is_kept:
            log.info("late upload kept job=%d node=%d size=%d", late.job, late.node, stored.size)
        return is_kept

    async def sweep(self) -> int:
        """Forget what is too old, and return how much that was; its bytes go with the leftovers."""
        before_us = clock.wall_us() - self._life_s * SECOND_US
        removed = await quarantine.remove_older(self._engine, before_us, AT_ONCE)
        if removed:
            log.info("quarantine removed=%d", removed)
        return removed
