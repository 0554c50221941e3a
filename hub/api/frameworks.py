"""Frameworks that models are made with."""

from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.catalogue import Entries, plain
from hub.api.desk import Desk
from hub.api.jobs import AnyRequest
from hub.lifecycle.catalogue import check_members, given
from hub.lifecycle.images import FrameworkInUse
from hub.wire.docker import FRAMEWORK_TEXTS, FrameworkIn, FrameworkOut
from orm.filters import fields
from orm.queries.frameworks import FRAMEWORKS, FrameworkRow

MEMBERS = ("name", "version")


def out(row: FrameworkRow) -> FrameworkOut:
    """Return a framework as ``/v1`` shows it."""
    return FrameworkOut(pk=row.pk, name=row.name, version=row.version)


async def _read(request: AnyRequest, desk: Desk, is_whole: bool) -> dict[str, Any]:
    del desk
    sent = given(await bodies.read(request, FrameworkIn), MEMBERS)
    check_members(sent, FRAMEWORK_TEXTS, MEMBERS if is_whole else ())
    return sent


ENTRIES = Entries(
    shelf=FRAMEWORKS,
    listed=fields.FRAMEWORKS,
    noun="framework",
    action="frameworks",
    audited="framework",
    read=_read,
    shown=plain(FRAMEWORKS, out),
    twin={"non_field_errors": ["The fields name, version must make a unique set."]},
    in_use=FrameworkInUse,
)


class FrameworksController(Controller):
    """``/v1/frameworks``."""

    path = "/v1/frameworks"
    tags = ("frameworks",)

    @post(
        "/list", opt={"action": "frameworks_list"}, operation_id="frameworks_list", status_code=200
    )
    async def list_frameworks(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[FrameworkOut]]:
        """List frameworks that match a filter."""
        return await ENTRIES.matching(request, desk)

    @post("/create", opt={"action": "frameworks_create"}, operation_id="frameworks_create")
    async def create(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[FrameworkOut]:
        """Add a framework."""
        return await ENTRIES.create(request, desk)

    @get("/{pk:int}", opt={"action": "frameworks_retrieve"}, operation_id="frameworks_retrieve")
    async def retrieve(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[FrameworkOut]:
        """Show a framework."""
        return await ENTRIES.retrieve(request, desk, pk)

    @put("/{pk:int}", opt={"action": "frameworks_update"}, operation_id="frameworks_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[FrameworkOut]:
        """Change all of a framework."""
        return await ENTRIES.update(request, desk, pk, is_whole=True)

    @patch(
        "/{pk:int}",
        opt={"action": "frameworks_partial_update"},
        operation_id="frameworks_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[FrameworkOut]:
        """Change some of a framework."""
        return await ENTRIES.update(request, desk, pk, is_whole=False)

    @delete("/{pk:int}", opt={"action": "frameworks_destroy"}, operation_id="frameworks_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a framework that no docker image has."""
        await ENTRIES.destroy(request, desk, pk)
