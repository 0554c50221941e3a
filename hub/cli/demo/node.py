"""The demo's node, a process that knows nothing of the hub but its address and a token.

``python -m hub.cli.demo.node DESCRIPTION`` with ``HUB_URL`` and ``HUB_TOKEN`` registers a node,
waits for a job with that description, works on it, and ends. It uses the same calls over HTTP as a
worker in any other language.
"""

import asyncio
import base64
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import msgspec

from hub import clock
from hub.cli.demo.counting import CHUNK_BYTES, Step, Summary, Totals, counted, measured_bytes
from hub.cli.demo.order import OUTPUTS, JobSeen, output_path, waiting_with
from hub.cli.rest import Refused, Rest
from hub.errors import HubError
from hub.wire.jobs import FinishIn, StartIn
from hub.wire.nodes import NodeIn, NodeOut

POLL_S = 0.1
REPORT_S = 0.05
"""Shortest time between two reports of progress, in seconds."""

NAMES = "surrogateescape"
"""How names of files that are no Unicode stand in the table."""

INDEXES = 32_768
REGISTER_TRIES = 20


class Reporter:
    """Reports progress, not more often than every ``REPORT_S`` seconds."""

    def __init__(self, rest: Rest, job: int, totals: Totals) -> None:
        self._rest = rest
        self._job = job
        self._totals = totals
        self._next_s = 0.0

    async def tell(self, step: Step, *, is_last: bool = False) -> None:
        """Report where the work is, if it is time to or nothing else will follow."""
        now_s = clock.monotonic_s()
        if now_s < self._next_s and not is_last:
            return
        self._next_s = now_s + REPORT_S
        # A file's name need not be Unicode; JSON must be.
        message = step.text.encode(errors="replace").decode()
        body = {"message": message, "files": self._totals.files, "bytes": self._totals.bytes}
        await self._rest.call("POST", f"/v1/jobs/{self._job}/progress/{step.share:.6f}", body)


async def main(description: str) -> None:
    """Be a node until one job is done."""
    async with Rest(os.environ["HUB_URL"], os.environ["HUB_TOKEN"]) as rest:
        rest.headers["Node-Id"] = str(await _register(rest))
        job = await _acquired(rest, description)
        await rest.call("POST", f"/v1/jobs/{job.pk}/start", StartIn(send_notification=""))
        try:
            await _work(rest, job)
        except (OSError, Refused) as error:
            failed = FinishIn(success=False, send_notification="", error=str(error))
            await rest.call("POST", f"/v1/jobs/{job.pk}/finish", failed)


async def _register(rest: Rest) -> int:
    """Return the number of a new node; the database may know many nodes of this address."""
    tries = REGISTER_TRIES
    while True:
        index = secrets.randbelow(INDEXES)
        asked = NodeIn(ip="127.0.0.1", index=index, cpu_mem=_memory_bytes())
        try:
            return (await rest.ask("POST", "/v1/nodes/create", NodeOut, asked)).pk
        except Refused as refusal:
            tries -= 1
            if refusal.status != 400 or not tries:
                raise


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


async def _acquired(rest: Rest, description: str) -> JobSeen:
    """Wait for a job with this description and take it."""
    while True:
        asked = waiting_with(description)
        for job in await rest.ask("POST", "/v1/jobs/list", list[JobSeen], asked):
            await rest.call("GET", f"/v1/jobs/{job.pk}/acquire")
            return job
        await asyncio.sleep(POLL_S)


async def _work(rest: Rest, job: JobSeen) -> None:
    """Work and deliver.

    Raises:
        OSError: the folder cannot be read, or there is no room for the table.
        Refused: the hub does not take a report or an output.
    """
    began_s = clock.monotonic_s()
    totals = Summary(folder=job.folder)
    reporter = Reporter(rest, job.pk, totals)
    # It has no name, so nothing is left behind however this process ends.
    with tempfile.TemporaryFile() as kept:
        table = TextIOWrapper(kept, encoding="utf-8", errors=NAMES, newline="")
        for step in counted(Path(job.folder), table, totals):
            await reporter.tell(step)
        totals.took_s = round(clock.monotonic_s() - began_s, 3)
        await reporter.tell(Step(1.0, f"{totals.files:,} files counted"), is_last=True)
        table.flush()
        await _upload(rest, job.pk, "files", kept)
    with tempfile.TemporaryFile() as summary:
        summary.write(msgspec.json.format(msgspec.json.encode(totals)))
        await _upload(rest, job.pk, "summary", summary)
    done = FinishIn(success=True, send_notification="", outputs=list(OUTPUTS))
    await rest.call("POST", f"/v1/jobs/{job.pk}/finish", done)


async def _upload(rest: Rest, job: int, name: str, source: IO[bytes]) -> None:
    source.seek(0)
    digest = base64.b64encode(bytes.fromhex(measured_bytes(source).sha256)).decode()
    headers = {"Content-Type": "application/data", "Content-Digest": f"sha-256=:{digest}:"}
    source.seek(0)
    await rest.call("POST", output_path(job, name), content=_chunks(source), headers=headers)


async def _chunks(source: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except HubError as refused:
        sys.exit(refused.detail)
