"""What a load costs its server: the processor time of all threads of that one process."""

from collections.abc import Awaitable

from msgspec.structs import replace

from tests.bench.pounding import Load
from tests.bench.processes import Server


async def metered(server: Server, load: Awaitable[Load], *, requests: int = 1) -> Load:
    """Run ``load`` and return it with the time that a request took on ``server``.

    Args:
        server: A database server beside it is not counted.
        load: Not begun before.
        requests: How many each thing that is counted as done stands for.
    """
    before_s = server.cpu_s()
    done = await load
    took_s = server.cpu_s() - before_s
    return replace(done, cpu_ms=took_s * 1e3 / max(1, done.done * requests))
