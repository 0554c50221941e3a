"""``/v1/audit``: who did what, oldest first."""

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from hub.api.desk import Desk
from hub.api.job_view import iso
from hub.wire.accounts import AuditOut, AuditPage
from orm.queries.audit_page import AuditRow, page

After = Annotated[int, QueryParameter(name="after", ge=0, le=2**63 - 1)]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1_000)]


@get("/v1/audit", opt={"action": "audit_list"}, operation_id="audit_list", tags=["audit"])
async def audit_list(
    desk: NamedDependency[Desk], after: After = 0, limit: Limit = 100
) -> Response[AuditPage]:
    """Read privileged acts behind number ``after``; each hash covers its row and the one before."""
    rows = await page(desk.engine, after, limit + 1)
    shown = rows[:limit]
    return Response(
        AuditPage(
            items=[audit_out(row) for row in shown],
            next=shown[-1].pk if len(rows) > limit else None,
        )
    )


def audit_out(row: AuditRow) -> AuditOut:
    """Return an act as ``/v1`` shows it."""
    return AuditOut(
        pk=row.pk,
        time=iso(row.time_us),
        actor=row.actor,
        session=row.session,
        address=row.address,
        action=row.action,
        object_type=row.object_type,
        object_pk=row.object_pk,
        before=row.before,
        after=row.after,
        hash=row.hash,
    )
