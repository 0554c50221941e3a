"""How the jobs of a selection stand when somebody begins to follow it, page by page.

Many ask for the same at the same time, above all after a restart: they share the answer.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec

from channels.flights import Flights
from channels.protocol.frames import FRAME_MAX_BYTES
from channels.selections import OfFilter, OfJobs, Selection
from channels.times import iso
from hub import clock
from hub.errors import Unavailable
from hub.live.selecting import wanted_of
from orm.engine import Engine
from orm.queries import standings
from orm.queries.standings import Standings
from orm.rows import JobRow

PAGE = 100
"""Jobs in one look: each may hold a report of a mebibyte."""

SHARED_S = 0.25
"""How long an answer is good for others: what came since, the log tells them."""

SHARED_MAX = 64
SHARED_BYTES = 256 * 1024
AT_ONCE = 2

LIMIT_S = 30.0
"""How long one look may take."""

PART_BYTES = FRAME_MAX_BYTES - 1_024


class ShortRow(msgspec.Struct, frozen=True):
    """A job in a snapshot: what the ``row`` of its last transition says, and how far it is since.

    ``progress_data`` is the body of its last report, ``null`` before the first. It stands at event
    ``seq``, of which ``tseq`` were transitions.
    """

    pk: int
    seq: int
    tseq: int
    status: str
    progress_amount: float
    progress_data: msgspec.Raw | None
    description: str
    labels: msgspec.Raw
    creator: int | None
    template: int
    parent: int | None
    node: int | None
    attempt: int
    tries: int
    priority: int
    error_reason: str | None
    deleted: bool
    created: str
    modified: str


class Page(msgspec.Struct, frozen=True):
    """Some jobs as they stood at event ``gseq`` of the log, which reached back to ``floor``.

    ``rows`` are the JSON texts of ``ShortRow``; ``last`` is the number of the last job.
    """

    gseq: int
    floor: int
    rows: list[bytes]
    last: int
    has_more: bool


class Snapshots:
    """Takes snapshots, and shares those that several ask for at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._flights = Flights(AT_ONCE)
        self._recent: dict[tuple[Selection, int], tuple[float, Page]] = {}

    async def pages(self, selection: Selection) -> AsyncIterator[Page]:
        """Give the jobs of a selection page by page, at least one page.

        All is true at the ``gseq`` of the first page, and of later pages maybe more: what the log
        tells behind that place makes up for it.
        """
        after, has_more = 0, True
        while has_more:
            page = await self._page(selection, after)
            yield page
            after, has_more = page.last, page.has_more

    async def _page(self, selection: Selection, after: int) -> Page:
        key = (selection, after)
        known = self._recent.get(key)
        if known is not None and known[0] > clock.monotonic_s():
            return known[1]
        return await self._flights.share(key, lambda: self._taken(selection, after))

    async def _taken(self, selection: Selection, after: int) -> Page:
        try:
            async with asyncio.timeout(LIMIT_S):
                page = await self._found(selection, after)
        except TimeoutError as error:  # not to be taken for a client that takes nothing
            raise Unavailable("the database takes too long; try again", retry_after_s=1) from error
        if sum(map(len, page.rows)) <= SHARED_BYTES:
            self._keep((selection, after), page)
        return page

    async def _found(self, selection: Selection, after: int) -> Page:
        if isinstance(selection, OfJobs):
            return await self._of_jobs(selection, after)
        assert isinstance(selection, OfFilter)
        return await self._of_filter(selection, after)

    async def _of_jobs(self, selection: OfJobs, after: int) -> Page:
        left = sorted(job for job in selection.jobs if job > after)
        found = await standings.of_jobs(self._engine, left[:PAGE])
        return _page(found, found.rows, left[:PAGE][-1], has_more=len(left) > PAGE)

    async def _of_filter(self, selection: OfFilter, after: int) -> Page:
        found = await standings.of_wanted(self._engine, wanted_of(selection), after, PAGE + 1)
        rows = found.rows[:PAGE]
        last = rows[-1].pk if rows else after
        return _page(found, rows, last, has_more=len(found.rows) > PAGE)

    def _keep(self, key: tuple[Selection, int], page: Page) -> None:
        now_s = clock.monotonic_s()
        stale = [known for known, (until_s, _) in self._recent.items() if until_s <= now_s]
        for known in stale:
            del self._recent[known]
        if len(self._recent) < SHARED_MAX:
            self._recent[key] = now_s + SHARED_S, page


def _page(found: Standings, rows: list[JobRow], last: int, *, has_more: bool) -> Page:
    return Page(found.gseq, found.floor, [short_row(row) for row in rows], last, has_more)


def short_row(row: JobRow) -> bytes:
    """Return a job as a snapshot shows it."""
    return msgspec.json.encode(
        ShortRow(
            pk=row.pk,
            seq=row.seq,
            tseq=row.tseq,
            status=row.status,
            progress_amount=row.progress,
            progress_data=None if row.progress_data is None else _raw(row.progress_data),
            description=row.description,
            labels=_raw(row.labels),
            creator=row.creator,
            template=row.template,
            parent=row.parent,
            node=row.node,
            attempt=row.attempt,
            tries=row.tries,
            priority=row.priority,
            error_reason=row.error,
            deleted=row.deleted_us is not None,
            created=iso(row.created_us),
            modified=iso(row.modified_us),
        )
    )


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def parts(rows: list[bytes]) -> Iterator[list[bytes]]:
    """Divide rows so that each part fits in a frame, unless one row alone is larger."""
    part: list[bytes] = []
    size = 0
    for row in rows:
        if part and size + len(row) > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row) + 1
    yield part
