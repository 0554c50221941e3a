"""Licences: terms under which data, models and images may be used."""

from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.catalogue import Entries, plain
from hub.api.desk import Desk
from hub.api.jobs import AnyRequest
from hub.lifecycle.catalogue import check_members, given
from hub.lifecycle.images import (
    TERMS,
    LicenceInUse,
    terms_of,
    terms_text,
    with_terms,
    without_terms,
)
from hub.wire.licences import LICENCE_TEXTS, LicenceIn, LicenceOut, TermsChange
from orm.filters import fields
from orm.queries.licences import LICENCES, LicenceRow

REQUIRED = ("name", "url")


def out(row: LicenceRow) -> LicenceOut:
    """Return a licence as ``/v1`` shows it."""
    return LicenceOut(
        pk=row.pk,
        name=row.name,
        url=row.url,
        permissions=terms_of(row.permissions),
        conditions=terms_of(row.conditions),
        limitations=terms_of(row.limitations),
        domains=terms_of(row.domains),
    )


async def _read(request: AnyRequest, desk: Desk, is_whole: bool) -> dict[str, Any]:
    del desk
    body = await bodies.read(request, LicenceIn)
    sent = given(body, REQUIRED)
    check_members(sent, LICENCE_TEXTS, REQUIRED if is_whole else ())
    return sent | {name: terms_text(name, terms) for name, terms in given(body, TERMS).items()}


ENTRIES = Entries(
    shelf=LICENCES,
    listed=fields.LICENCES,
    noun="licence",
    action="licences",
    audited="licence",
    read=_read,
    shown=plain(LICENCES, out),
    twin={"name": ["licence with this name already exists."]},
    in_use=LicenceInUse,
)


class LicencesController(Controller):
    """``/v1/licences``."""

    path = "/v1/licences"
    tags = ("licences",)

    @post("/list", opt={"action": "licences_list"}, operation_id="licences_list", status_code=200)
    async def list_licences(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[LicenceOut]]:
        """List licences that match a filter."""
        return await ENTRIES.matching(request, desk)

    @post("/create", opt={"action": "licences_create"}, operation_id="licences_create")
    async def create(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[LicenceOut]:
        """Add a licence."""
        return await ENTRIES.create(request, desk)

    @get("/{pk:int}", opt={"action": "licences_retrieve"}, operation_id="licences_retrieve")
    async def retrieve(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[LicenceOut]:
        """Show a licence."""
        return await ENTRIES.retrieve(request, desk, pk)

    @put("/{pk:int}", opt={"action": "licences_update"}, operation_id="licences_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[LicenceOut]:
        """Change a licence; name and url must be there."""
        return await ENTRIES.update(request, desk, pk, is_whole=True)

    @patch(
        "/{pk:int}",
        opt={"action": "licences_partial_update"},
        operation_id="licences_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[LicenceOut]:
        """Change some of a licence."""
        return await ENTRIES.update(request, desk, pk, is_whole=False)

    @delete("/{pk:int}", opt={"action": "licences_destroy"}, operation_id="licences_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a licence that no docker image and no job template is under."""
        await ENTRIES.destroy(request, desk, pk)

    @patch(
        "/{pk:int}/subdescriptors",
        opt={"action": "licences_subdescriptors"},
        operation_id="licences_subdescriptors",
    )
    async def change_terms(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[LicenceOut]:
        """Add permissions, conditions, limitations or domains to a licence, or remove some."""
        await ENTRIES.one(request, desk, pk)  # what is not there is said before a bad body
        asked = await bodies.read(request, TermsChange)
        changed = with_terms if asked.method == "add" else without_terms
        return await ENTRIES.change(request, desk, pk, changed(asked.type, asked.names))


class LicensesController(LicencesController):
    """``/v1/licenses``: the same, as others spell it."""

    path = "/v1/licenses"
    include_in_schema = False
