"""What a client did and saw, a line of JSON each, in the order of its own time."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from msgspec import Struct

from channels.protocol.frames import Filter

Face = Literal["hub.v1", "plain", "ndjson"]


class Record(Struct, frozen=True, kw_only=True, tag_field="what", omit_defaults=True):
    """One line; ``at`` is in seconds of this machine's steady clock."""

    at: float


class Client(Record, frozen=True, kw_only=True, tag="client"):
    """The first line: who wrote this, and through which face; ``account`` is its user's name."""

    client: str
    face: Face
    account: str = ""


class Connect(Record, frozen=True, kw_only=True, tag="connect"):
    """Connection ``conn`` of this client, counted from 1, was opened."""

    conn: int


class Refused(Record, frozen=True, kw_only=True, tag="refused"):
    """Connection ``conn`` was refused in its handshake; ``sub`` is what it was for."""

    conn: int
    status: int
    code: str
    sub: str = ""


class Subscribe(Record, frozen=True, kw_only=True, tag="subscribe"):
    """Subscription ``sub`` began, or began again with the ``cursor`` that was stored."""

    conn: int
    sub: str
    topic: Literal["job", "jobs", "workers"] = "job"
    jobs: tuple[int, ...] = ()
    filter: Filter = Filter()
    progress: Literal["latest", "all", "none"] = "latest"
    snapshot: Literal["auto", "always", "never"] = "auto"
    cursor: str | None = None


class Frame(Record, frozen=True, kw_only=True, tag="frame"):
    """A message came, as it was; ``sub`` where the message itself does not say."""

    conn: int
    frame: Any
    sub: str = ""


class Applied(Record, frozen=True, kw_only=True, tag="applied"):
    """All up to ``cursor`` was handled, and the cursor stored."""

    sub: str
    cursor: str


class Close(Record, frozen=True, kw_only=True, tag="close"):
    """Connection ``conn`` ended; ``code`` is ``None`` when it was cut."""

    conn: int
    code: int | None = None


class Asked(Record, frozen=True, kw_only=True, tag="asked"):
    """A change was asked for: type of event, job, and a number that only this request has."""

    change: tuple[str, int, int]


class Answered(Record, frozen=True, kw_only=True, tag="answered"):
    """It was answered with success."""

    change: tuple[str, int, int]


class Quiet(Record, frozen=True, kw_only=True, tag="quiet"):
    """Nobody changes anything any more; ``within_s`` later everybody has to know all."""

    within_s: float


AnyRecord = (
    Client | Connect | Refused | Subscribe | Frame | Applied | Close | Asked | Answered | Quiet
)

_DECODER = msgspec.json.Decoder(AnyRecord)


class History(Struct, frozen=True):
    """What one client wrote; record ``n`` is line ``n + 1``."""

    records: tuple[AnyRecord, ...]

    @property
    def client(self) -> Client:
        """The first line.

        Raises:
            ValueError: there is none, or it is something else.
        """
        if not self.records or not isinstance(self.records[0], Client):
            raise ValueError("a history begins with its client")
        return self.records[0]


def read(lines: Iterable[str | bytes]) -> History:
    """Return the history that these lines are; one that was cut at the end is left out.

    Raises:
        msgspec.DecodeError: another line is no record.
    """
    kept = list(lines)
    records = []
    for number, line in enumerate(kept, 1):
        try:
            records.append(_DECODER.decode(line))
        except msgspec.DecodeError:
            if number < len(kept):
                raise
    return History(tuple(records))


def read_file(path: Path) -> History:
    """Return the history in a file."""
    with path.open("rb") as file:
        return read(file)


class Recorder:
    """Writes a history, each record as it happens.

    Args:
        file: Where to; opened and closed by the caller. ``None`` keeps the records only here.
        clock: Seconds of a steady clock.
    """

    def __init__(
        self, file: IO[bytes] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file = file
        self._clock = clock
        self.records: list[AnyRecord] = []

    def now(self) -> float:
        """Return the time for the next record."""
        return self._clock()

    def write(self, record: AnyRecord) -> None:
        """Add a record."""
        self.records.append(record)
        if self._file is not None:
            self._file.write(msgspec.json.encode(record) + b"\n")

    @property
    def history(self) -> History:
        """All that was recorded, as a reader of the file sees it."""
        return read(msgspec.json.encode(record) for record in self.records)
