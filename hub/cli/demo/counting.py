"""The work of the demo's job: hash and count every ``.py`` file below a folder."""

import csv
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TextIO

import msgspec

SUFFIX = ".py"
CHUNK_BYTES = 2**18
COLUMNS = ("path", "sha256", "bytes", "lines")


class Measured(msgspec.Struct, frozen=True):
    """What was found out about some bytes; a last line without an end counts as a line."""

    sha256: str
    bytes: int
    lines: int


class Totals(msgspec.Struct):
    """The sums so far; ``skipped`` are files that are gone or cannot be read."""

    files: int = 0
    skipped: int = 0
    bytes: int = 0
    lines: int = 0

    def add(self, measured: Measured) -> None:
        """Count one file more."""
        self.files += 1
        self.bytes += measured.bytes
        self.lines += measured.lines


class Summary(Totals):
    """The job's second output: the sums, where they come from, and how long it took in seconds."""

    folder: str = ""
    took_s: float = 0.0


class Step(msgspec.Struct, frozen=True):
    """How far the work is: ``share`` from 0 to 1, and a line about it."""

    share: float
    text: str


def counted(folder: Path, table: TextIO, totals: Totals) -> Iterator[Step]:
    """Do the work: one row of ``table`` a file, sums in ``totals``; yields after every file."""
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    paths: list[str] = []
    for path in python_files(folder):
        paths.append(path)
        yield Step(0.0, f"looking for files, {len(paths):,} so far")
    for number, path in enumerate(sorted(paths), 1):
        try:
            measured = measure(folder / path)
        except OSError:
            totals.skipped += 1
        else:
            totals.add(measured)
            rows.writerow((path, *(getattr(measured, column) for column in COLUMNS[1:])))
        yield Step(number / len(paths), f"{number:,} of {len(paths):,} files, {path}")


def python_files(folder: Path) -> Iterator[str]:
    """Yield the paths of all ``.py`` files below ``folder``, relative to it, in any order.

    Raises:
        OSError: ``folder`` itself cannot be listed; folders in it that cannot are left out.
    """
    os.scandir(folder).close()
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(SUFFIX):
                yield os.path.relpath(os.path.join(parent, name), folder)


def measure(path: Path) -> Measured:
    """Return what is to know about a file, reading it piece by piece.

    Raises:
        OSError: it is gone, cannot be read, or is no regular file.
    """
    with open(path, "rb", buffering=0, opener=_unblocked) as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise OSError(f"{path} is no regular file")
        return measured_bytes(source)


def _unblocked(path: str, flags: int) -> int:
    # To open a pipe would wait for somebody who writes to it.
    return os.open(path, flags | os.O_NONBLOCK)


def measured_bytes(source: IO[bytes]) -> Measured:
    """Return what is to know about the bytes of ``source``, from where it stands."""
    digest = hashlib.sha256()
    size = lines = 0
    last = b"\n"
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        lines += chunk.count(b"\n")
        last = chunk[-1:]
    return Measured(digest.hexdigest(), size, lines + (last != b"\n"))


def table_rows(table: TextIO) -> Iterator[tuple[str, Measured]]:
    """Yield the files that a table of ``counted`` tells of.

    Raises:
        ValueError: it is no such table.
    """
    rows = csv.reader(table)
    if tuple(next(rows, ())) != COLUMNS:
        raise ValueError("the table has other columns")
    for path, sha256, size, lines in rows:
        yield path, Measured(sha256, int(size), int(lines))
