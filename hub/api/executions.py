"""What became of a job each time it was queued, page by page."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from hub.api.desk import Desk
from hub.api.job_view import iso, maybe_iso
from hub.api.lists import PAGE, PAGE_BYTES
from hub.api.places import cursor_of, keys_of
from hub.lifecycle.failures import CATEGORIES
from hub.wire.executions import ExecutionOut, ExecutionPage
from orm.queries import executions
from orm.rows import ExecutionRow

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1_000)]
Cursor = Annotated[
    str | None, QueryParameter(name="cursor", description="`next` of the page before")
]
ORDER = "executions"


@get(
    "/v1/jobs/{pk:int}/executions",
    opt={"action": "jobs_executions"},
    operation_id="jobs_executions",
    tags=["jobs"],
)
async def jobs_executions(
    pk: FromPath[int],
    desk: NamedDependency[Desk],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response[ExecutionPage]:
    """List the executions of a job, newest first: one for each time that it was queued.

    A run that was lost may go on in its execution until another node takes the job.

    A page of long errors ends at 16 MiB, before ``limit``; ``next`` goes on there.
    """
    keys = keys_of(ORDER, 1, cursor)
    await desk.brief(pk)
    items, last = await _items(desk, pk, keys[0] if keys else None, limit)
    following = None if last is None else cursor_of(ORDER, (last,))
    content: Any = msgspec.json.encode({"items": items, "next": following})
    return Response(content=content, media_type="application/json")


async def _items(
    desk: Desk, pk: int, before: int | None, limit: int
) -> tuple[list[msgspec.Raw], int | None]:
    """Return the items of a page, and the number of the last one if more follow."""
    items: list[msgspec.Raw] = []
    size = 0
    while True:
        rows = await executions.of_job(desk.engine, pk, before, PAGE + 1)
        for row in rows[:PAGE]:
            if len(items) == limit or size >= PAGE_BYTES:
                return items, before
            item = msgspec.json.encode(execution_out(row))
            items.append(msgspec.Raw(item))
            size, before = size + len(item), row.number
        if len(rows) <= PAGE:
            return items, None


def execution_out(row: ExecutionRow) -> ExecutionOut:
    """Return an execution as ``/v1`` shows it."""
    return ExecutionOut(
        number=row.number,
        attempt=row.attempt,
        node=row.node,
        outcome=row.outcome,
        queued_time=iso(row.queued_us),
        acquired_time=maybe_iso(row.granted_us),
        start_time=maybe_iso(row.start_us),
        end_time=maybe_iso(row.end_us),
        error=row.error,
        error_name=row.error_name,
        category=None if row.error_name is None else CATEGORIES.get(row.error_name),
    )
