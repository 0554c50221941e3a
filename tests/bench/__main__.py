"""``python -m tests.bench``: run benchmarks and print what they found."""

import argparse
import asyncio
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import uvloop

from tests.bench import cycle, fanout, limits, listing, live, progress, watched
from tests.bench.client import Refused
from tests.bench.processes import CLIENT_CORE, NotServing
from tests.bench.report import Outcome, text
from tests.bench.stage import Kind, Options, Stage, stage

Bench = Callable[[Stage], Awaitable[Outcome]]

BENCHES: dict[str, Bench] = {
    "progress": progress.run,
    "cycle": cycle.run,
    "watched": watched.run,
    "list": listing.run,
    "fanout": fanout.run,
    "live": live.run,
}
CLIENT = "client"
DATABASES: dict[str, tuple[Kind, ...]] = {
    "sqlite": ("sqlite",),
    "postgres": ("postgres",),
    "both": ("sqlite", "postgres"),
}
OPEN_FILES = 8_192


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "bench",
        choices=[*BENCHES, CLIENT, "all"],
        help="client: how fast the measuring client itself is; all: the others",
    )
    parser.add_argument("--database", choices=DATABASES, default="both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one measured stretch")
    parser.add_argument("--jobs", type=int, default=100_000, help="finished ones in the list")
    parser.add_argument("--pin", action="store_true", help="server on core 0, the rest on core 1")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="record the hub with py-spy into DIR, too"
    )
    return parser.parse_args()


def _outcomes(arguments: argparse.Namespace) -> Iterator[Outcome | None]:
    """Run what was asked for; ``None`` stands for a benchmark that came to no end."""
    options = Options(
        arguments.rounds,
        arguments.seconds,
        pin=arguments.pin,
        profile=arguments.profile,
        jobs=arguments.jobs,
    )
    if arguments.bench == CLIENT:
        yield _outcome(limits.run, "sqlite", options)
        return
    chosen = BENCHES if arguments.bench == "all" else {arguments.bench: BENCHES[arguments.bench]}
    for bench in chosen.values():
        for kind in DATABASES[arguments.database]:
            yield _outcome(bench, kind, options)


def _outcome(bench: Bench, kind: Kind, options: Options) -> Outcome | None:
    async def run() -> Outcome:
        return await bench(scene)

    try:
        with (
            stage(kind, options) as scene,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            return runner.run(run())
    except* (Refused, NotServing) as group:
        for error in _leaves(group):
            print(f"{bench.__module__}, {kind}: {error}", file=sys.stderr)
    return None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group of groups."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)


def _settle(*, pin: bool) -> None:
    """Allow for a thousand sockets, and take the client's core (databases inherit it)."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, OPEN_FILES), most))
    if pin:
        os.sched_setaffinity(0, {CLIENT_CORE})


def main() -> int:
    """Return the exit code."""
    arguments = _arguments()
    _settle(pin=arguments.pin)
    everything_is_well = True
    for outcome in _outcomes(arguments):
        if outcome is None:
            everything_is_well = False
            continue
        print(msgspec.json.encode(outcome).decode() if arguments.json else text(outcome) + "\n")
        everything_is_well &= outcome.is_met or not arguments.check
    return 0 if everything_is_well else 1


if __name__ == "__main__":
    sys.exit(main())
