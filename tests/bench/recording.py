"""A profile of the hub under load, taken with py-spy where that is installed."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable
from pathlib import Path

from tests.bench.processes import Server
from tests.bench.rounds import Measure
from tests.bench.stage import Stage


def command(server: Server, seconds: float, into: Path) -> list[str]:
    """Return the py-spy command: collapsed stacks by function, one a line with its sample count."""
    options = ["--format", "raw", "--function", "--rate", "200"]
    length = ["--duration", str(max(1, round(seconds)))]
    return [
        "py-spy", "record", "--pid", str(server.pid), *options, *length, "--output", str(into)
    ]  # fmt: skip


async def profiled(stage: Stage, bench: str, server: Server, measure: Measure) -> None:
    """Put the load of ``bench`` on ``server`` once more and record it, if that was asked for."""
    options = stage.options
    if options.profile:
        into = options.profile / f"{bench}-{stage.kind}.txt"
        await record(server, measure(options.seconds + 1), options.seconds, into)


async def record(server: Server, load: Awaitable[object], seconds: float, into: Path) -> None:
    """Run ``load`` while py-spy watches ``server``; the figures of such a load mean nothing."""
    line = command(server, seconds, into)
    print("profile:", *line)
    found = shutil.which(line[0]) or shutil.which(line[0], path=Path(sys.executable).parent)
    if found is None:
        print("py-spy is not installed: no profile taken")
        await load
        return
    into.parent.mkdir(parents=True, exist_ok=True)
    spy = await asyncio.create_subprocess_exec(found, *line[1:])
    await load
    await spy.wait()
