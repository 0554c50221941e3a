"""What is told live, under load: deliveries, arrivals, latency, resuming, and who stalls."""

from tests.bench.live import arriving, delivering, hearing, resuming, stalling
from tests.bench.report import Figure, Outcome, Target
from tests.bench.stage import Stage

PARTS = (arriving.run, delivering.run, hearing.run, resuming.run, stalling.run)


async def run(stage: Stage) -> Outcome:
    """Run all parts, one after the other, each on a new hub."""
    figures: list[Figure] = []
    targets: list[Target] = []
    for part in PARTS:
        some_figures, some_targets = await part(stage)
        figures += some_figures
        targets += some_targets
    return Outcome("live", stage.kind, tuple(figures), tuple(targets))
