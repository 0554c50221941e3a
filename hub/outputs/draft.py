"""An upload on its way to becoming a stored file."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from hub.errors import StorageFull
from hub.outputs.errors import DigestMismatch
from hub.outputs.folders import Folders, locked
from hub.outputs.layout import Layout
from hub.outputs.store import StoredBytes

# EFBIG is what a file size limit of the process or of the file system says.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def _full_disk_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull from error
        raise


class Draft:
    """One temporary file; every method blocks and belongs in a thread, one at a time.

    The constructor touches no disk, so that whoever holds a draft can always discard it.
    """

    def __init__(self, layout: Layout, folders: Folders) -> None:
        self._layout = layout
        self._folders = folders
        self._path = layout.temporary / f"{secrets.token_hex(16)}.part"
        self._descriptor: int | None = None
        self._digest = hashlib.sha256()
        self._size = 0

    def append(self, batch: bytes | bytearray) -> None:
        """Write and hash ``batch``.

        Raises:
            StorageFull: disk or quota has no room.
        """
        with _full_disk_named():
            descriptor = self._opened()
            rest = memoryview(batch)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        self._digest.update(batch)
        self._size += len(batch)

    def publish(self, expected_sha256: bytes | None) -> StoredBytes:
        """Move the file to the place its digest names, and make that last.

        Raises:
            DigestMismatch: ``expected_sha256`` (32 bytes) is another digest.
            StorageFull: disk or quota has no room.
        """
        if expected_sha256 is not None and self._digest.digest() != expected_sha256:
            raise DigestMismatch
        stored = StoredBytes(sha256=self._digest.hexdigest(), size=self._size)
        with _full_disk_named():
            descriptor = self._opened()
            os.utime(descriptor)  # an upload may pause before its end; its age counts from here
            os.fsync(descriptor)
            self._move_to(stored.sha256)
        return stored

    def _move_to(self, sha256: str) -> None:
        place = self._layout.blob(sha256)
        self._folders.make(place.parent)
        with locked(place.parent) as folder:
            # Equal bytes that are there already are replaced too: they become young again, which
            # keeps a removal away from them until the row of this upload is written.
            self._path.replace(place)
            os.fsync(folder)

    def discard(self) -> None:
        """Close the file and remove what was not published."""
        if self._descriptor is None:
            return
        # What counts was synced before; a network disk that complains only now changes nothing.
        with suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = None
        self._path.unlink(missing_ok=True)

    def _opened(self) -> int:
        if self._descriptor is None:
            self._folders.make(self._layout.temporary)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor
