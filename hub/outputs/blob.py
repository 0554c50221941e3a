"""A stored file that is being read."""

import errno
import hashlib
import os
from pathlib import Path

from hub.outputs.errors import OutputBytesDamaged, OutputBytesMissing

CHUNK_BYTES = 128 * 1024


class BlobReader:
    """Reads one range of a stored file; every method blocks and belongs in a thread, one at a time.

    The constructor touches no disk, so that whoever holds a reader can always close it.

    Args:
        place: The file; its name is the SHA-256 of its bytes, in hex.
        start: Offset of the first byte to read.
        end: Offset behind the last one; ``None`` is the end of the file.
    """

    def __init__(self, place: Path, start: int, end: int | None) -> None:
        self._place = place
        self._at = start
        self._asked_end = end
        self._end = 0
        self._is_whole = False
        self._digest = hashlib.sha256()
        self._descriptor: int | None = None

    def next_chunk(self) -> bytes:
        """Return up to 128 KiB, or nothing at the end.

        Raises:
            OutputBytesMissing: there is no such file.
            OutputBytesDamaged: the file is shorter than asked for, or has another digest.
        """
        descriptor = self._opened()
        chunk = os.pread(descriptor, min(CHUNK_BYTES, max(0, self._end - self._at)), self._at)
        self._at += len(chunk)
        if not chunk and self._at < self._end:
            raise OutputBytesDamaged
        if self._is_whole:
            self._check(chunk)
        return chunk

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor = _open(self._place)
            size = os.fstat(self._descriptor).st_size
            self._end = size if self._asked_end is None else self._asked_end
            self._is_whole = self._at == 0 and self._end == size
        return self._descriptor

    def _check(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        if self._at == self._end and self._digest.hexdigest() != self._place.name:
            raise OutputBytesDamaged


def _open(place: Path) -> int:
    try:
        return os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        # ELOOP: a symbolic link was put there; the store makes none and follows none.
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            raise OutputBytesMissing from error
        raise


def size_of(place: Path) -> int:
    """Return how many bytes the stored file ``place`` has.

    Raises:
        OutputBytesMissing: there is no such file.
    """
    descriptor = _open(place)
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
