"""The clock row, read once for all who ask at the same time."""

from channels.flights import Flights
from orm.engine import Engine
from orm.queries import meta
from orm.queries.meta import Clock


class Clocks:
    """Reads the clock row. A thousand clients that come back read it once, not once each."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._flights = Flights(1)
        self._began = 0

    async def now(self) -> Clock:
        """Return the clock row as it is read after this call, not earlier.

        What somebody has seen before it asks is then in the answer: an older one could call a good
        cursor one from the future, or hide that the log has let go of something.
        """
        return await self._flights.share(self._began, self._read)

    async def _read(self) -> Clock:
        self._began += 1  # who asks from now on waits for the next one
        return await meta.clock(self._engine)
