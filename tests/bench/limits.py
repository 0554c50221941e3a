"""The measuring client against a server that costs next to nothing: is it ever the limit?"""

from tests.bench import bare
from tests.bench.client import encode
from tests.bench.fanout import broadcast
from tests.bench.pounding import pound
from tests.bench.progress import CONNECTIONS
from tests.bench.report import Figure, Outcome, Target, load_figures
from tests.bench.rounds import in_turns, ratio
from tests.bench.stage import Stage
from tests.bench.world import pretended, progress_body

TARGET = 2.0


async def run(stage: Stage) -> Outcome:
    """Compare the constant server with the bare handler; then let it broadcast."""
    options = stage.options
    requests = [encode("POST", bare.PATH, body=progress_body(0))] * CONNECTIONS
    with stage.ceiling() as ceiling, stage.bare() as yardstick:
        pairs = await in_turns(
            lambda seconds: pound(ceiling.address, requests, seconds),
            lambda seconds: pound(yardstick.address, requests, seconds),
            rounds=options.rounds,
            seconds=options.seconds,
        )
        heard = await broadcast(ceiling, pretended(1), 1, options.seconds)
    figures: tuple[Figure, ...] = (
        *load_figures("ceiling", "request", [pair.hub for pair in pairs]),
        *load_figures("bare", "request", [pair.yardstick for pair in pairs]),
        *heard,
    )
    target = Target("ceiling / bare, median", ratio(pairs), "at least", TARGET)
    return Outcome("client", "no database", figures, (target,))
