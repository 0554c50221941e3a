"""What a benchmark found, and how it is told."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

from tests.bench.pounding import Load
from tests.bench.rounds import Pair, ratio


class Figure(msgspec.Struct, frozen=True):
    """One line: a name that includes the unit, and a value for each round (or a single one)."""

    label: str
    values: tuple[float, ...]


class Target(msgspec.Struct, frozen=True):
    """What must hold for one value."""

    label: str
    value: float
    bound: Literal["at least", "at most"]
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether the value is on the right side of the limit."""
        if self.bound == "at least":
            return self.value >= self.limit
        return self.value <= self.limit


class Outcome(msgspec.Struct, frozen=True):
    """The result of one benchmark on one database."""

    bench: str
    database: str
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether every target is met."""
        return all(target.is_met for target in self.targets)


def load_figures(name: str, thing: str, loads: Sequence[Load]) -> tuple[Figure, ...]:
    """Return the lines for one server: how many things a second, how long one takes, its cost."""
    costs = tuple(load.cpu_ms for load in loads if load.cpu_ms is not None)
    return (
        Figure(f"{name}: {thing}s/s", tuple(load.per_s for load in loads)),
        Figure(f"{name}: p50 ms a {thing}", tuple(load.p50_ms for load in loads)),
        Figure(f"{name}: p99 ms a {thing}", tuple(load.p99_ms for load in loads)),
        *([Figure(f"{name}: server CPU ms a request", costs)] if costs else []),
    )


def compared(
    bench: str, database: str, pairs: list[Pair], *, yardstick: str, thing: str, at_least: float
) -> Outcome:
    """Return the outcome of a comparison in turns."""
    ratios = tuple(pair.hub.per_s / pair.yardstick.per_s for pair in pairs)
    costs = tuple(
        pair.hub.cpu_ms / pair.yardstick.cpu_ms
        for pair in pairs
        if pair.hub.cpu_ms and pair.yardstick.cpu_ms
    )
    return Outcome(
        bench,
        database,
        (
            *load_figures("hub", thing, [pair.hub for pair in pairs]),
            *load_figures(yardstick, thing, [pair.yardstick for pair in pairs]),
            Figure("ratio of each round", ratios),
            *([Figure("ratio of server CPU a request", costs)] if costs else []),
        ),
        (Target(f"hub / {yardstick}, median", ratio(pairs), "at least", at_least),),
    )


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def text(outcome: Outcome) -> str:
    """Return the outcome as a table: median first, then the rounds; targets last."""
    labels = [figure.label for figure in outcome.figures]
    labels += [target.label for target in outcome.targets]
    width = max(map(len, labels))
    lines = [f"== {outcome.bench}, {outcome.database}"]
    for figure in outcome.figures:
        rounds = "  ".join(_number(value) for value in figure.values)
        detail = f"   ({rounds})" if len(figure.values) > 1 else ""
        lines.append(f"{figure.label:<{width}}  {_number(median(figure.values)):>9}{detail}")
    for target in outcome.targets:
        verdict = "met" if target.is_met else "MISSED"
        limit = f"{target.bound} {_number(target.limit)}: {verdict}"
        lines.append(f"{target.label:<{width}}  {_number(target.value):>9}   {limit}")
    return "\n".join(lines)
