"""After the job: both outputs fetched, and each digest compared with what it is a digest of."""

import asyncio
import csv
from pathlib import Path

import msgspec

from hub.cli.demo.counting import Summary, Totals, measure, table_rows
from hub.cli.demo.order import OUTPUTS, output_path
from hub.cli.demo.screen import Screen
from hub.cli.rest import Rest
from hub.errors import Conflict
from hub.wire.jobs import OutputOut

FILE_NAMES = {"files": "files.csv", "summary": "summary.json"}


class NotVerified(Conflict):
    """What came back is not what it should be."""

    code = "not_verified"


class Fetched(msgspec.Struct, frozen=True):
    """An output on our disk, as the hub describes it."""

    path: Path
    about: OutputOut


class Verified(msgspec.Struct, frozen=True):
    """The sums, and how many files are ``gone`` since they were counted."""

    summary: Summary
    gone: int


async def fetched(rest: Rest, job: int, folder: Path) -> list[Fetched]:
    """Download all outputs into ``folder`` and check them against what the hub says about them.

    Raises:
        NotVerified: size or digest differ.
        Refused, NoAnswer: an output cannot be had.
    """
    return [await _fetched(rest, job, name, folder / FILE_NAMES[name]) for name in OUTPUTS]


async def _fetched(rest: Rest, job: int, name: str, target: Path) -> Fetched:
    path = output_path(job, name)
    about = await rest.ask("GET", f"{path}/info", OutputOut)
    with target.open("wb") as sink:
        sha256 = await rest.download(path, sink)
        size = sink.tell()
    if (sha256, size) != (about.sha256, about.size):
        raise NotVerified(
            f"{target} is not what the hub has: {size} bytes, sha256 {sha256}, "
            f"not {about.size} bytes, sha256 {about.sha256}"
        )
    return Fetched(target, about)


async def verified(folder: Path, screen: Screen) -> Verified:
    """Hash every file again that the fetched table tells of, and add the sums up again.

    Raises:
        NotVerified: a file differs from the table, or the table from the summary.
    """
    try:
        summary = msgspec.json.decode((folder / FILE_NAMES["summary"]).read_bytes(), type=Summary)
        return await _compared(folder / FILE_NAMES["files"], summary, screen)
    except (ValueError, msgspec.DecodeError, csv.Error) as error:
        raise NotVerified(f"the outputs cannot be read: {error}") from error


async def _compared(table: Path, summary: Summary, screen: Screen) -> Verified:
    sums, gone = Totals(), 0
    with table.open(encoding="utf-8", newline="", errors="surrogateescape") as source:
        for path, told in table_rows(source):
            sums.add(told)
            try:
                found = measure(Path(summary.folder) / path)
            except OSError:
                gone += 1
            else:
                if found != told:
                    raise NotVerified(f"{path} is not what the table says, or was just changed")
            screen.show(sums.files / max(1, summary.files), f"hashing again, {path}")
            await asyncio.sleep(0)  # lets Ctrl-C in
    if (sums.files, sums.bytes, sums.lines) != (summary.files, summary.bytes, summary.lines):
        raise NotVerified("the table and the summary do not agree")
    return Verified(summary, gone)
