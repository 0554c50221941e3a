"""Job types: the kinds of values that inputs, parameters and outputs can have."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub import clock
from hub.api import bodies
from hub.api.desk import Desk
from hub.api.job_view import ENCODER
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.auth.guard import actor_of
from hub.errors import InvalidInput, NotFound
from hub.lifecycle.catalogue import (
    check_free,
    check_members,
    given,
    is_dotted,
    noted,
)
from hub.wire.job_types import JOB_TYPE_TEXTS, JobTypeIn, JobTypeOut
from orm.errors import NotUnique
from orm.filters.fields import JOB_TYPES as LISTED
from orm.queries.accounts import Source
from orm.queries.job_types import JOB_TYPES, JobTypeRow, mentions, others_with

MEMBERS = ("name", "pkg", "cls")
NO_IDENTIFIER = "A worker reads this as an identifier: letters, digits and underscores."
NO_PATH = "This is the path of a class: identifiers joined by dots."


class JobTypesController(Controller):
    """``/v1/job-types``."""

    path = "/v1/job-types"
    tags = ("job types",)

    @post("/list", opt={"action": "job_types_list"}, operation_id="job_types_list", status_code=200)
    async def list_types(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[JobTypeOut]]:
        """List job types that match a filter."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            return [ENCODER.encode(out(row)) for row in await JOB_TYPES.rows(desk.engine, pks)]

        return await answer_list(request, desk, LISTED, encode)

    @post("/create", opt={"action": "job_types_create"}, operation_id="job_types_create")
    async def create(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[JobTypeOut]:
        """Add a job type, where UFDL's clients do it."""
        return await _create(request, desk)

    @post(opt={"action": "job_types_create_seed"}, operation_id="job_types_create_seed")
    async def create_seed(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[JobTypeOut]:
        """Add a job type, where UFDL's documents do it."""
        return await _create(request, desk)

    @get("/{pk:int}", opt={"action": "job_types_retrieve"}, operation_id="job_types_retrieve")
    async def retrieve(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobTypeOut]:
        """Show a job type."""
        return Response(out(await _existing(desk, pk)))

    @put("/{pk:int}", opt={"action": "job_types_update"}, operation_id="job_types_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobTypeOut]:
        """Change all of a job type."""
        return await _change(request, desk, pk, MEMBERS)

    @patch(
        "/{pk:int}",
        opt={"action": "job_types_partial_update"},
        operation_id="job_types_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[JobTypeOut]:
        """Change some of a job type."""
        return await _change(request, desk, pk, ())

    @delete("/{pk:int}", opt={"action": "job_types_destroy"}, operation_id="job_types_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a job type that is not built in and that no template names."""
        note = noted(actor_of(request.scope), "job_types.destroy", "job_type")
        now_us = clock.wall_us()
        if await JOB_TYPES.remove(desk.engine, pk, note, now_us, check=_check_free) is None:
            raise _missing(pk)


def out(row: JobTypeRow) -> JobTypeOut:
    """Return a job type as ``/v1`` shows it."""
    return JobTypeOut(pk=row.pk, name=row.name, pkg=row.pkg, cls=row.cls)


async def _create(request: AnyRequest, desk: Desk) -> Response[JobTypeOut]:
    columns = await _columns(request, MEMBERS)
    note = noted(actor_of(request.scope), "job_types.create", "job_type")
    try:
        row = await JOB_TYPES.add(desk.engine, columns, note, clock.wall_us())
    except NotUnique as error:
        raise await _twin(desk, columns["name"], columns["cls"]) from error
    return Response(out(row), status_code=201)


async def _change(
    request: AnyRequest, desk: Desk, pk: int, required: tuple[str, ...]
) -> Response[JobTypeOut]:
    there = await _existing(desk, pk)
    columns = await _columns(request, required)
    note = noted(actor_of(request.scope), "job_types.update", "job_type")
    try:
        row = await JOB_TYPES.change(
            desk.engine, pk, columns, note, clock.wall_us(), check=_check_free
        )
    except NotUnique as error:
        wanted = msgspec.structs.replace(there, **columns)
        raise await _twin(desk, wanted.name, wanted.cls, pk) from error
    if row is None:
        raise _missing(pk)
    return Response(out(row))


async def _columns(request: AnyRequest, required: tuple[str, ...]) -> dict[str, Any]:
    """Return what was sent. Workers import every class by name: one bad row would stop them."""
    sent = given(await bodies.read(request, JobTypeIn), MEMBERS)
    check_members(sent, JOB_TYPE_TEXTS, required)
    if not sent.get("name", "x").isidentifier():
        raise InvalidInput(f"name: {NO_IDENTIFIER}", fields={"name": [NO_IDENTIFIER]})
    if not is_dotted(sent.get("cls", "x.y")):
        raise InvalidInput(f"cls: {NO_PATH}", fields={"cls": [NO_PATH]})
    return sent


async def _twin(desk: Desk, name: str, cls: str, pk: int | None = None) -> InvalidInput:
    wanted = {"name": name, "cls": cls}
    others = await others_with(desk.engine, name, cls, pk)
    fields = {
        member: [f"job type with this {member} already exists."]
        for member, value in wanted.items()
        if any(getattr(other, member) == value for other in others)
    }
    return InvalidInput("this job type is there already", fields=fields)


async def _check_free(source: Source, before: JobTypeRow, after: JobTypeRow | None) -> None:
    if after is None or after.name != before.name:
        check_free(before, await mentions(source, before.name))


async def _existing(desk: Desk, pk: int) -> JobTypeRow:
    row = await JOB_TYPES.get(desk.engine, pk)
    if row is None:
        raise _missing(pk)
    return row


def _missing(pk: int) -> NotFound:
    return NotFound(f"there is no job type {pk}")
