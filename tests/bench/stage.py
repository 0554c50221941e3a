"""Where a benchmark runs: which database, which folder, how long, on which cores."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec

from tests.bench import processes
from tests.bench.processes import Server
from tests.servers import PrivatePostgres

Kind = Literal["sqlite", "postgres"]


class Options(msgspec.Struct, frozen=True):
    """What the command line chose.

    ``seconds`` is the length of one measured stretch, ``jobs`` what a list is made of.
    """

    rounds: int = 5
    seconds: float = 4.0
    pin: bool = False
    profile: Path | None = None
    jobs: int = 100_000


class Stage:
    """Servers on one kind of database; each database is new unless its name is repeated."""

    def __init__(
        self, kind: Kind, options: Options, scratch: Path, postgres: PrivatePostgres | None
    ) -> None:
        self.kind = kind
        self.options = options
        self.scratch = scratch
        self._postgres = postgres
        self._names = (f"bench_{number}" for number in count())

    def new_url(self) -> str:
        """Return the URL of an empty PostgreSQL database, or an empty text for SQLite."""
        return self._postgres.create_database(next(self._names)) if self._postgres else ""

    def hub(
        self, database_url: str | None = None, name: str = "hub"
    ) -> AbstractContextManager[Server]:
        """Serve the hub from the folder ``name``, on a new database unless a URL is given."""
        url = self.new_url() if database_url is None else database_url
        return processes.hub(self.scratch / name, database_url=url, pin=self.options.pin)

    def bare(self) -> AbstractContextManager[Server]:
        """Serve the bare handler."""
        return processes.bare(self.scratch, pin=self.options.pin)

    def floor(self) -> AbstractContextManager[Server]:
        """Serve the floor app on a new database."""
        url = self.new_url()
        return processes.floor(self.scratch, database_url=url, pin=self.options.pin)

    def ceiling(self) -> AbstractContextManager[Server]:
        """Serve constant answers."""
        return processes.ceiling(self.scratch, pin=self.options.pin)

    def broadcaster(self) -> AbstractContextManager[Server]:
        """Serve rooms with the ``websockets`` library's own ``broadcast()``."""
        return processes.broadcaster(self.scratch, pin=self.options.pin)


@contextmanager
def stage(kind: Kind, options: Options) -> Iterator[Stage]:
    """Set the scene in a temporary folder (``TMPDIR`` chooses the disk) and clear it afterwards."""
    database: AbstractContextManager[PrivatePostgres | None] = (
        PrivatePostgres() if kind == "postgres" else nullcontext()
    )
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder, database as postgres:
        yield Stage(kind, options, Path(folder), postgres)
