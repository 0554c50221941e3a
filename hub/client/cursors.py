"""Where a follower's place is kept between two runs."""

import asyncio
import os
from pathlib import Path
from typing import Protocol


class CursorStore(Protocol):
    """Keeps one cursor, a short text. A cursor that is lost costs a snapshot, and no event."""

    async def load(self) -> str | None:
        """Return the cursor that was saved last, ``None`` if there is none."""
        ...

    async def save(self, cursor: str) -> None:
        """Keep this cursor in place of the last one; cancelled, it keeps one of the two."""
        ...


class MemoryCursor:
    """Keeps the cursor as long as this program runs."""

    def __init__(self, cursor: str | None = None) -> None:
        self.cursor = cursor

    async def load(self) -> str | None:
        """Return the cursor."""
        return self.cursor

    async def save(self, cursor: str) -> None:
        """Keep the cursor."""
        self.cursor = cursor


class FileCursor:
    """Keeps the cursor in a file of its own, whole at any time; one follower writes it."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    async def load(self) -> str | None:
        """Return what the file holds; a missing or empty one holds nothing."""
        return await asyncio.to_thread(self._read)

    async def save(self, cursor: str) -> None:
        """Replace the file, and return when the disk has it.

        Raises:
            OSError: It cannot be written.
        """
        await asyncio.to_thread(self._write, cursor)

    def _read(self) -> str | None:
        try:
            return self._path.read_text("ascii").strip() or None
        except FileNotFoundError:
            return None

    def _write(self, cursor: str) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w", encoding="ascii") as file:
            file.write(cursor + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
