"""Result bytes on a local disk, the default."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from hub.errors import BodyTooLarge
from hub.outputs.blob import BlobReader, size_of
from hub.outputs.draft import Draft
from hub.outputs.folders import Folders, age_s, locked
from hub.outputs.layout import Layout, is_sha256
from hub.outputs.store import StoredBytes
from hub.outputs.threads import Threads

# Network chunks are small; gathered, a thread hop costs little next to the write it makes.
BATCH_BYTES = 256 * 1024


class LocalStore:
    """An `OutputStore` in a folder, which several processes may share.

    Args:
        root: The folder; made when the first upload comes.
        threads: How many disk calls may run at a time.
    """

    def __init__(self, root: Path, *, threads: int = 4) -> None:
        self._layout = Layout(root)
        self._folders = Folders(root)
        self._threads = Threads(threads)

    async def receive(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit_bytes: int | None,
        expected_sha256: bytes | None = None,
    ) -> StoredBytes:
        """Hash into a temporary file; sync, rename, sync the folder (`OutputStore.receive`)."""
        draft = Draft(self._layout, self._folders)
        try:
            await self._fill(draft, chunks, limit_bytes)
            return await self._threads.run(partial(draft.publish, expected_sha256))
        finally:
            await self._threads.run(draft.discard)

    async def _fill(
        self, draft: Draft, chunks: AsyncIterator[bytes], limit_bytes: int | None
    ) -> None:
        batch = bytearray()
        received = 0
        async for chunk in chunks:
            received += len(chunk)
            if limit_bytes is not None and received > limit_bytes:
                raise BodyTooLarge(f"The body is larger than {limit_bytes} bytes.")
            batch += chunk
            if len(batch) >= BATCH_BYTES:
                await self._threads.run(partial(draft.append, batch))
                batch = bytearray()
        await self._threads.run(partial(draft.append, batch))

    def read(
        self, sha256: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield chunks of 128 KiB, one in memory at a time (`OutputStore.read`)."""
        return self._chunks(BlobReader(self._layout.blob(sha256), start, end))

    async def _chunks(self, reader: BlobReader) -> AsyncGenerator[bytes, None]:
        try:
            while chunk := await self._threads.run(reader.next_chunk):
                yield chunk
        finally:
            await self._threads.run(reader.close)

    async def size(self, sha256: str) -> int:
        """Ask the file (`OutputStore.size`)."""
        return await self._threads.run(partial(size_of, self._layout.blob(sha256)))

    async def stored(self, *, older_than_s: float) -> AsyncGenerator[str, None]:
        """Walk the 256 outer folders, one thread hop for each (`OutputStore.stored`)."""
        for number in range(256):
            outer = self._layout.blobs / f"{number:02x}"
            for sha256 in await self._threads.run(partial(_names_in, outer, older_than_s)):
                yield sha256

    async def remove(self, sha256: str, *, older_than_s: float = 0.0) -> None:
        """Unlink under the lock that uploads of these bytes take (`OutputStore.remove`)."""
        await self._threads.run(partial(_remove, self._layout.blob(sha256), older_than_s))

    async def sweep_temporary(self, older_than_s: float) -> int:
        """Unlink old temporary files (`OutputStore.sweep_temporary`)."""
        return await self._threads.run(partial(_sweep, self._layout.temporary, older_than_s))

    def close(self) -> None:
        """End the threads, once no upload or read runs; blocks until their last calls are done."""
        self._threads.close()


def _names_in(outer: Path, older_than_s: float) -> list[str]:
    names = []
    for place in outer.glob("*/*"):
        with suppress(FileNotFoundError):
            if is_sha256(place.name) and age_s(place) >= older_than_s:
                names.append(place.name)
    return names


def _remove(place: Path, older_than_s: float) -> None:
    with suppress(FileNotFoundError), locked(place.parent):
        if age_s(place) >= older_than_s:
            place.unlink()


def _sweep(temporary: Path, older_than_s: float) -> int:
    removed = 0
    for place in temporary.glob("*.part"):
        with suppress(FileNotFoundError):
            if age_s(place) >= older_than_s:
                place.unlink()
                removed += 1
    return removed
