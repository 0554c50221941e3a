"""CUDA versions, and the drivers that they need."""

from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.catalogue import Entries, plain
from hub.api.desk import Desk
from hub.api.jobs import AnyRequest
from hub.lifecycle.catalogue import check_members, given
from hub.lifecycle.images import CudaInUse, check_version
from hub.wire.docker import CUDA_TEXTS, CudaIn, CudaOut
from orm.filters import fields
from orm.queries.cuda import CUDA, CudaRow

MEMBERS = ("version", "full_version", "min_driver_version")
TWIN = "Another CUDA version has this version, or this full_version."


def out(row: CudaRow) -> CudaOut:
    """Return a CUDA version as ``/v1`` shows it."""
    return CudaOut(
        pk=row.pk,
        version=row.version,
        full_version=row.full_version,
        min_driver_version=row.min_driver_version,
    )


async def _read(request: AnyRequest, desk: Desk, is_whole: bool) -> dict[str, Any]:
    del desk
    sent = given(await bodies.read(request, CudaIn), MEMBERS)
    check_members(sent, CUDA_TEXTS, MEMBERS if is_whole else ())
    check_version(sent)
    return sent


ENTRIES = Entries(
    shelf=CUDA,
    listed=fields.CUDA,
    noun="CUDA version",
    action="cuda",
    audited="cuda_version",
    read=_read,
    shown=plain(CUDA, out),
    twin={"non_field_errors": [TWIN]},
    in_use=CudaInUse,
)


class CudaController(Controller):
    """``/v1/cuda``."""

    path = "/v1/cuda"
    tags = ("CUDA versions",)

    @post("/list", opt={"action": "cuda_list"}, operation_id="cuda_list", status_code=200)
    async def list_versions(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[CudaOut]]:
        """List CUDA versions that match a filter."""
        return await ENTRIES.matching(request, desk)

    @post("/create", opt={"action": "cuda_create"}, operation_id="cuda_create")
    async def create(self, request: AnyRequest, desk: NamedDependency[Desk]) -> Response[CudaOut]:
        """Add a CUDA version."""
        return await ENTRIES.create(request, desk)

    @get("/{pk:int}", opt={"action": "cuda_retrieve"}, operation_id="cuda_retrieve")
    async def retrieve(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[CudaOut]:
        """Show a CUDA version."""
        return await ENTRIES.retrieve(request, desk, pk)

    @put("/{pk:int}", opt={"action": "cuda_update"}, operation_id="cuda_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[CudaOut]:
        """Change all of a CUDA version."""
        return await ENTRIES.update(request, desk, pk, is_whole=True)

    @patch(
        "/{pk:int}",
        opt={"action": "cuda_partial_update"},
        operation_id="cuda_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[CudaOut]:
        """Change some of a CUDA version."""
        return await ENTRIES.update(request, desk, pk, is_whole=False)

    @delete("/{pk:int}", opt={"action": "cuda_destroy"}, operation_id="cuda_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a CUDA version that no docker image needs."""
        await ENTRIES.destroy(request, desk, pk)
