"""Removes stored bytes that no output names: of refused uploads, dead processes, deletions."""

import logging
from contextlib import aclosing

from hub.lifecycle.unused_bytes import SETTLED_S, remove_unused
from hub.outputs.store import OutputStore
from orm.engine import Engine

log = logging.getLogger("hub.upkeep")

PAGE = 500


class Leftovers:
    """Compares the store with the database, a page at a time; may run in several processes at once.

    Args:
        engine: Where the rows are.
        store: Where the bytes are.
        older_than_s: Younger bytes are left alone; why is said at ``SETTLED_S``.
    """

    def __init__(
        self, engine: Engine, store: OutputStore, *, older_than_s: float = SETTLED_S
    ) -> None:
        self._engine = engine
        self._store = store
        self._older_than_s = older_than_s

    async def sweep(self) -> int:
        """Look at everything that is stored, and return how much of it no output named."""
        found = 0
        page: list[str] = []
        async with aclosing(self._store.stored(older_than_s=self._older_than_s)) as names:
            async for sha256 in names:
                page.append(sha256)
                if len(page) == PAGE:
                    found += await self._remove(page)
                    page = []
        found += await self._remove(page)
        if found:
            log.info("leftovers removed=%d", found)
        return found

    async def _remove(self, page: list[str]) -> int:
        return await remove_unused(self._engine, self._store, page, older_than_s=self._older_than_s)
