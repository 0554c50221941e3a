"""Folders whose entries survive a power cut, and that can be locked."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub import clock


def age_s(place: Path) -> float:
    """Return the seconds since ``place`` was last written, never below 0.

    Raises:
        FileNotFoundError: there is nothing.
    """
    written_us = place.lstat().st_mtime_ns // 1_000
    # A clock that was set back must not make a file immortal.
    return max(0.0, (clock.wall_us() - written_us) / 1_000_000)


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold ``folder`` against every other thread and process that locks it; gives its descriptor.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


class Folders:
    """Makes folders below ``root`` and remembers which of them are safely on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()

    def make(self, folder: Path) -> None:
        """Make ``folder`` and all above it, each entry synced in its parent."""
        exists = folder.is_dir()
        if exists and folder in self._durable:
            return
        if folder != self._root:
            self.make(folder.parent)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One that exists may have been made a moment ago by a process that has not synced it yet.
        # What lies above the root is not ours, and perhaps not readable to us.
        if not exists or folder != self._root:
            _sync(folder.parent)
        self._durable.add(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
