"""Where things lie under the store's root; the one place that turns a name into a path."""

import re
from dataclasses import dataclass
from pathlib import Path

from hub.outputs.errors import BadDigest

_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: str) -> bool:
    """Tell whether ``text`` is 64 lower-case hex digits: only such a text may become a path."""
    return _SHA256.fullmatch(text) is not None


@dataclass(frozen=True)
class Layout:
    """The folders of a store: ``blobs/ab/cd/<hash>`` for what is whole, ``temporary`` for the rest.

    Both lie in one file system, so that a rename moves a file between them in one step.
    """

    root: Path

    @property
    def blobs(self) -> Path:
        """The folder of all whole files, two levels of 256 folders deep."""
        return self.root / "blobs"

    @property
    def temporary(self) -> Path:
        """The folder of uploads that still run, or died."""
        return self.root / "temporary"

    def blob(self, sha256: str) -> Path:
        """Return the place of the bytes with this digest.

        Raises:
            BadDigest: ``sha256`` is anything but 64 lower-case hex digits.
        """
        if not is_sha256(sha256):
            raise BadDigest
        return self.blobs / sha256[:2] / sha256[2:4] / sha256
