"""The high-water marks of the log: the highest event number of each epoch that was ever seen here.

They stand in a small file outside the database, so that a database which was put back to an earlier
moment does not match them.
"""

import contextlib
import os
import threading
from pathlib import Path

import msgspec

FILE = "log-marks.json"
EPOCHS_MAX = 64

_DECODER = msgspec.json.Decoder(dict[str, int])


class HighWater:
    """Marks of the epochs seen last; blocking calls, from any thread.

    Processes that share a folder may write at the same time: one mark may then be late by one
    write, and no file is ever half written.

    Args:
        folder: Where the file is, made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._written = ("", -1)
        self._lock = threading.Lock()

    def has_passed(self, epoch: str, gseq: int) -> bool:
        """Say whether events of ``epoch`` behind ``gseq`` were seen; an unreadable file says yes.

        Raises:
            OSError: the file is there and cannot be opened.
        """
        try:
            return self._marks().get(epoch, 0) > gseq
        except msgspec.DecodeError:
            return True

    def raise_to(self, epoch: str, gseq: int) -> None:
        """Remember durably that the events of ``epoch`` up to ``gseq`` were seen.

        Raises:
            OSError: the disk does not take it.
        """
        with self._lock:
            if (epoch, gseq) == self._written:
                return
            marks: dict[str, int] = {}
            with contextlib.suppress(msgspec.DecodeError):  # begin() has acted upon what it held
                marks = self._marks()
            highest = max(gseq, marks.pop(epoch, 0))
            newest = [*marks.items(), (epoch, highest)][-EPOCHS_MAX:]
            self._replace(msgspec.json.encode(dict(newest)))
            self._written = (epoch, gseq)

    def _marks(self) -> dict[str, int]:
        try:
            return _DECODER.decode(self._file.read_bytes())
        except FileNotFoundError:
            return {}

    def _replace(self, content: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f"{FILE}.{os.getpid()}")
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)
