"""What nodes uploaded to a job after they had lost it: for administrators, for a while."""

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api.desk import Desk
from hub.api.downloads import MEDIA_TYPE, answer_bytes
from hub.api.found import found
from hub.api.job_view import iso
from hub.api.jobs import AnyRequest
from hub.outputs.store import OutputStore
from hub.wire.quarantine import QuarantinedOut, QuarantineOut
from orm.queries import quarantine
from orm.queries.quarantine import QuarantinedRow


class QuarantineController(Controller):
    """Late uploads at ``/v1/jobs/{pk}/quarantine``; they are never outputs of the job."""

    path = "/v1/jobs/{pk:int}/quarantine"
    tags = ("outputs",)

    @get(opt={"action": "jobs_quarantine"}, operation_id="jobs_quarantine")
    async def list_all(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[QuarantineOut]:
        """List what nodes uploaded that had lost the job, newest first.

        At most 100 are kept of a job, and each for ``HUB_QUARANTINE_S``.
        """
        await desk.brief(pk)
        rows = await quarantine.of_job(desk.engine, pk)
        return Response(QuarantineOut([quarantined_out(row) for row in rows]))

    @get(
        "/{item:int}",
        opt={"action": "jobs_quarantine_get"},
        operation_id="jobs_quarantine_get",
        media_type=MEDIA_TYPE,
    )
    async def download(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        item: FromPath[int],
        desk: NamedDependency[Desk],
        store: NamedDependency[OutputStore],
    ) -> Response[bytes]:
        """Download what is kept, or with ``Range`` a part of it."""
        row = found(await quarantine.get(desk.engine, pk, item), "late upload", item)
        return await answer_bytes(request, store, row, row.name)


def quarantined_out(row: QuarantinedRow) -> QuarantinedOut:
    """Return a late upload as ``/v1`` shows it."""
    return QuarantinedOut(
        pk=row.pk,
        job=row.job,
        node=row.node,
        account=row.account,
        name=row.name,
        type=row.type,
        size=row.size,
        sha256=row.sha256,
        time=iso(row.time_us),
        url=f"/v1/jobs/{row.job}/quarantine/{row.pk}",
    )
