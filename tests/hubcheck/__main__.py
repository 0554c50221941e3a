"""``python -m tests.hubcheck HISTORY... --database URL``: a table, and exit code 1 if it is bad."""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.hubcheck.history import History, read_file
from tests.hubcheck.oracle import Oracle, read_oracle
from tests.hubcheck.properties import violations
from tests.hubcheck.violations import PROPERTIES, Violation

SHOWN_AT_MOST = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Check histories against a database; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hubcheck", description=__doc__)
    parser.add_argument("histories", nargs="+", type=Path, metavar="HISTORY")
    parser.add_argument("--database", required=True, metavar="URL")
    given = parser.parse_args(arguments)
    histories = [read_file(path) for path in given.histories]
    oracle = asyncio.run(read_oracle(given.database))
    found = violations(histories, oracle)
    sys.stdout.write("\n".join(report(histories, oracle, found)) + "\n")
    return 1 if found else 0


def report(histories: Sequence[History], oracle: Oracle, found: Sequence[Violation]) -> list[str]:
    """Return the lines: a table of the properties, then what is wrong."""
    counts = Counter(one.property for one in found)
    lines = [f"{len(histories)} histories, log {oracle.floor + 1} to {oracle.head}", ""]
    for name in sorted(PROPERTIES, key=lambda name: int(name[1:])):
        said = (PROPERTIES[name].__doc__ or "").strip()
        lines.append(f"{name:<4} {counts[name] or 'ok':>6}  {said}")
    lines += ["", *map(str, found[:SHOWN_AT_MOST])] if found else []
    if len(found) > SHOWN_AT_MOST:
        lines.append(f"and {len(found) - SHOWN_AT_MOST} more")
    return lines


if __name__ == "__main__":
    sys.exit(main())
