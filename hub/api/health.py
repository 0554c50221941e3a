"""Is the process alive, and can it do its work: for supervisors and load balancers."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency

from channels.doorbell.hint import Doorbell
from hub import clock
from hub.wire.health import Health
from orm.engine import Engine
from orm.errors import StorageError
from orm.queries import meta

log = logging.getLogger("hub.api")

TRUST_S = 1.0
LOOP_LAG_MAX_S = 5.0
DISK_FLOOR_BYTES = 2**30
DISK_FLOOR_SHARE = 0.05
LATE_NEWS = "what other processes do is shown here up to a second late"


class Readiness:
    """What the readiness probe found, believed for a second: probing must not load the database."""

    def __init__(self, engine: Engine, data: Path, doorbell: Doorbell) -> None:
        self._engine = engine
        self._data = data
        self._doorbell = doorbell
        self._found: tuple[float, list[str]] | None = None
        self._looking = asyncio.Lock()
        self.is_draining = False
        self.beat_s = clock.monotonic_s()

    def beat(self) -> None:
        """Say that the event loop still turns."""
        self.beat_s = clock.monotonic_s()

    @property
    def is_alive(self) -> bool:
        """Whether the event loop turned within the last seconds; asks nobody."""
        return clock.monotonic_s() - self.beat_s < LOOP_LAG_MAX_S

    async def problems(self) -> list[str]:
        """Return why this process should get no work now; nothing means ready."""
        if self.is_draining:
            return ["the hub is stopping"]
        async with self._looking:  # who waits for another's look is answered by it
            if self._found is None or clock.monotonic_s() - self._found[0] >= TRUST_S:
                found = [*await self._database(), *await asyncio.to_thread(self._disk)]
                self._found = (clock.monotonic_s(), found)
            return self._found[1]

    @property
    def delays(self) -> list[str]:
        """Return why some things come later than they could, though all of them come."""
        fault = self._doorbell.fault
        return [] if fault is None else [f"{fault}: {LATE_NEWS}"]

    async def _database(self) -> list[str]:
        try:
            await meta.check_writable(self._engine)
        except StorageError as error:
            log.warning("not ready error=%s", error)
            return ["the database takes no writes"]
        return []

    def _disk(self) -> list[str]:
        disk = shutil.disk_usage(self._data)
        if disk.free < min(DISK_FLOOR_BYTES, disk.total * DISK_FLOOR_SHARE):
            return [f"only {disk.free // 2**20} MiB of disk are free"]
        return []


@get("/health/live", opt={"action": "health_live"}, operation_id="health_live", tags=["health"])
async def live(readiness: NamedDependency[Readiness]) -> Response[Health]:
    """Say whether the process runs; touches neither database nor disk."""
    return _answer([] if readiness.is_alive else ["the event loop is stuck"], [])


@get("/health/ready", opt={"action": "health_ready"}, operation_id="health_ready", tags=["health"])
async def ready(readiness: NamedDependency[Readiness]) -> Response[Health]:
    """Say whether the hub can do its work: it can write, and there is room on the disk.

    `degraded` is 200 too: all is done, and `problems` says what comes late.
    """
    return _answer(await readiness.problems(), readiness.delays)


def _answer(problems: list[str], delays: list[str]) -> Response[Any]:
    if problems:
        return Response(Health("failing", problems + delays), status_code=503)
    return Response(Health("degraded" if delays else "ok", delays), status_code=200)
