"""The seam between outputs and the place that keeps their bytes."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol, runtime_checkable

import msgspec


class StoredBytes(msgspec.Struct, frozen=True):
    """What the store holds after an upload.

    Args:
        sha256: 64 lower-case hex digits; the only name these bytes have here.
        size: Their number, 0 or more.
    """

    sha256: str
    size: int


@runtime_checkable
class OutputStore(Protocol):
    """Keeps bytes under their SHA-256, whole or not at all."""

    async def receive(
        self,
        chunks: AsyncIterator[bytes],
        *,
        limit_bytes: int | None,
        expected_sha256: bytes | None = None,
    ) -> StoredBytes:
        """Take in one upload, in constant memory; what is returned survives a power cut.

        Equal bytes are kept once. An upload that ends early, by an error of ``chunks`` or cancelled
        before the last of them, leaves nothing behind; cancelled while it becomes final it may
        leave whole bytes without a row, which `stored` finds later. The caller closes ``chunks``.

        Raises:
            BodyTooLarge: more than ``limit_bytes`` bytes came; ``None`` is no limit.
            DigestMismatch: ``expected_sha256`` (32 bytes) is not the digest of what came.
            StorageFull: disk or quota has no room.
        """
        ...

    def read(
        self, sha256: str, *, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from ``start`` to before ``end`` (``None``: to the last) in chunks.

        The generator holds a file while it runs: use it under ``aclosing``. A whole read is checked
        against the digest and fails before its last chunk: damaged bytes never look complete.

        Raises:
            BadDigest: ``sha256`` is no name of this store; raised by the call itself.
            OutputBytesMissing: nothing is stored under this name.
            OutputBytesDamaged: the stored bytes are fewer than asked for, or others.
        """
        ...

    async def size(self, sha256: str) -> int:
        """Return how many bytes are stored, to know before an answer begins that they are there.

        Raises:
            BadDigest: ``sha256`` is no name of this store.
            OutputBytesMissing: nothing is stored under this name.
        """
        ...

    def stored(self, *, older_than_s: float) -> AsyncGenerator[str, None]:
        """Yield the names of all bytes that last came at least ``older_than_s`` seconds ago.

        The chore that compares bytes with rows starts here; the age keeps it away from uploads
        whose row is not written yet.
        """
        ...

    async def remove(self, sha256: str, *, older_than_s: float = 0.0) -> None:
        """Forget these bytes, unless they came again within the last ``older_than_s`` seconds.

        Removing what is not there is no error. Reads that already run may finish.

        Raises:
            BadDigest: ``sha256`` is no name of this store.
        """
        ...

    async def sweep_temporary(self, older_than_s: float) -> int:
        """Remove what uploads left behind when a process died, and return how many there were.

        ``older_than_s`` counts from the last byte that arrived; running uploads of any process are
        safe as long as it exceeds the longest pause of one.
        """
        ...
