"""What the controllers share: a command goes in, the answer about its job comes out."""

from typing import Any

from litestar import Response

from channels.events import Cursor
from hub.api.job_view import JobViews
from hub.errors import NotFound
from hub.lifecycle.commands import Command
from hub.lifecycle.ledger import Ledger
from hub.lifecycle.planner import Outcome
from hub.wire.jobs import JobOut
from orm.engine import Engine
from orm.queries import jobs
from orm.rows import JobRow

CURSOR_HEADER = "X-Hub-Cursor"


class Desk:
    """Executes commands and shows jobs."""

    def __init__(self, engine: Engine, ledger: Ledger, *, list_max: int, lost_after_s: int) -> None:
        self.engine = engine
        self.ledger = ledger
        self.list_max = list_max
        self.lost_after_s = lost_after_s
        self.views = JobViews(engine)
        self.epoch = ""

    def open(self, epoch: str) -> None:
        """Learn the epoch of the log, which is known once the database is open."""
        self.epoch = epoch

    async def execute(self, command: Command, status: int = 200) -> Response[JobOut]:
        """Return the answer to ``command``: the job after it, once that is durable."""
        return await self.answer(await self.ledger.execute(command), status)

    async def answer(self, outcome: Outcome, status: int = 200) -> Response[JobOut]:
        """Return the answer that shows the job of ``outcome``."""
        return Encoded(await self.views.of_outcome(outcome), self.cursor(outcome.gseq), status)

    async def show(self, pk: int) -> tuple[jobs.FullJob, Response[JobOut]]:
        """Return job ``pk``, deleted or not, and the answer that shows it.

        Raises:
            NotFound: there is no such job.
        """
        snapshot = await jobs.snapshot(self.engine, [pk])
        if not snapshot.jobs:
            raise NotFound(f"there is no job {pk}")
        job = snapshot.jobs[0]
        return job, Encoded(await self.views.of_job(job), self.cursor(snapshot.gseq), 200)

    async def brief(self, pk: int) -> JobRow:
        """Return the changing part of job ``pk``.

        Raises:
            NotFound: there is no such job.
        """
        row = await jobs.brief(self.engine, pk)
        if row is None:
            raise NotFound(f"there is no job {pk}")
        return row

    def cursor(self, gseq: int) -> str:
        """Return the text of a position in the log."""
        return str(Cursor(self.epoch, gseq))


class Encoded(Response[JobOut]):
    """A JSON answer whose bytes are made already.

    Litestar would copy, render and index headers on the way; on the busiest routes that costs as
    much as everything this hub does for them.
    """

    def __init__(self, body: bytes, cursor: str, status: int) -> None:
        self.status_code = status
        self._body = body
        self._cursor = cursor

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Return the ASGI callable that sends this answer: the answer itself."""
        return self._answer

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self._body)),
            (b"x-hub-cursor", self._cursor.encode()),
        ]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})
