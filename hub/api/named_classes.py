"""Names that templates use, of types and of contracts, each with the class that workers import.

One form for both: ``/v1/job-types`` and ``/v1/job-contracts`` differ in what they are about alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from litestar import Response, Router, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from hub import clock
from hub.api import bodies
from hub.api.desk import Desk
from hub.api.found import found
from hub.api.job_view import ENCODER
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.auth.guard import actor_of
from hub.errors import InvalidInput
from hub.lifecycle.catalogue import check_members, given, is_dotted, noted
from hub.lifecycle.named_classes import CONTRACT_NAMING, TYPE_NAMING, Naming
from hub.lifecycle.types import is_type_name
from hub.wire.named_classes import CLASS_TEXTS, NamedClassIn, NamedClassOut
from orm.errors import NotUnique
from orm.filters import fields as filterable
from orm.filters.fields import Resource
from orm.queries.accounts import Source
from orm.queries.named_classes import (
    JOB_CONTRACTS,
    JOB_TYPES,
    NamedClasses,
    NamedClassRow,
    mentions,
)

MEMBERS = ("name", "pkg", "cls")
NO_IDENTIFIER = "A worker reads this as an identifier: letters, digits and underscores."
GONE = "Remove a {} that is not built in and that no template names."
NO_PATH = "This is the path of a class: identifiers joined by dots."


class Calls:
    """What can be done with the names of one kind."""

    def __init__(self, shelf: NamedClasses, listed: Resource, naming: Naming) -> None:
        self._shelf = shelf
        self._listed = listed
        self._naming = naming
        self.noun = naming.noun
        self.actions = naming.noun.replace(" ", "_") + "s"
        self._subject = naming.noun.replace(" ", "_")

    async def list_rows(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[NamedClassOut]]:
        """Answer with those that match a filter."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            return [ENCODER.encode(out(row)) for row in await self._shelf.rows(desk.engine, pks)]

        return await answer_list(request, desk, self._listed, encode)

    async def create(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[NamedClassOut]:
        """Add one."""
        columns = await _columns(request, MEMBERS)
        note = noted(actor_of(request.scope), f"{self.actions}.create", self._subject)
        try:
            row = await self._shelf.add(desk.engine, columns, note, clock.wall_us())
        except NotUnique as error:
            raise await self._twin(desk, columns["name"], columns["cls"]) from error
        return Response(out(row), status_code=201)

    async def retrieve(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[NamedClassOut]:
        """Show one."""
        return Response(out(await self._existing(desk, pk)))

    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[NamedClassOut]:
        """Change all of one."""
        return await self._change(request, desk, pk, MEMBERS)

    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[NamedClassOut]:
        """Change some of one."""
        return await self._change(request, desk, pk, ())

    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove one that is not built in and that no template names."""
        note = noted(actor_of(request.scope), f"{self.actions}.destroy", self._subject)
        now_us = clock.wall_us()
        gone = await self._shelf.remove(desk.engine, pk, note, now_us, check=self._check_free)
        found(gone, self.noun, pk)

    async def _change(
        self, request: AnyRequest, desk: Desk, pk: int, required: tuple[str, ...]
    ) -> Response[NamedClassOut]:
        there = await self._existing(desk, pk)
        columns = await _columns(request, required)
        note = noted(actor_of(request.scope), f"{self.actions}.update", self._subject)
        try:
            row = await self._shelf.change(
                desk.engine, pk, columns, note, clock.wall_us(), check=self._check_free
            )
        except NotUnique as error:
            wanted = msgspec.structs.replace(there, **columns)
            raise await self._twin(desk, wanted.name, wanted.cls, pk) from error
        return Response(out(found(row, self.noun, pk)))

    async def _twin(self, desk: Desk, name: str, cls: str, pk: int | None = None) -> InvalidInput:
        wanted = {"name": name, "cls": cls}
        others = await self._shelf.others_with(desk.engine, name, cls, pk)
        fields = {
            member: [f"{self.noun} with this {member} already exists."]
            for member, value in wanted.items()
            if any(getattr(other, member) == value for other in others)
        }
        return InvalidInput(f"this {self.noun} is there already", fields=fields)

    async def _check_free(
        self, source: Source, before: NamedClassRow, after: NamedClassRow | None
    ) -> None:
        if after is None or after.name != before.name:
            self._naming.check_free(before, await mentions(source, before.name))

    async def _existing(self, desk: Desk, pk: int) -> NamedClassRow:
        return found(await self._shelf.get(desk.engine, pk), self.noun, pk)


async def _columns(request: AnyRequest, required: tuple[str, ...]) -> dict[str, Any]:
    """Return what was sent. Workers import every class by name: one bad row would stop them."""
    sent = given(await bodies.read(request, NamedClassIn), MEMBERS)
    check_members(sent, CLASS_TEXTS, required)
    if not is_type_name(sent.get("name", "x")):
        raise InvalidInput(f"name: {NO_IDENTIFIER}", fields={"name": [NO_IDENTIFIER]})
    if not is_dotted(sent.get("cls", "x.y")):
        raise InvalidInput(f"cls: {NO_PATH}", fields={"cls": [NO_PATH]})
    return sent


def out(row: NamedClassRow) -> NamedClassOut:
    """Return a row as ``/v1`` shows it."""
    return NamedClassOut(pk=row.pk, name=row.name, pkg=row.pkg, cls=row.cls)


class Route(NamedTuple):
    """One call: the method of ``Calls`` that answers it, and what it does to a ``{}``."""

    how: Callable[..., HTTPRouteHandler]
    path: str
    action: str
    method: str
    status: int
    text: str


ONE = "/{pk:int}"
ROUTES = (
    Route(post, "/list", "list", "list_rows", 200, "List {}s that match a filter."),
    Route(post, "/create", "create", "create", 201, "Add a {}, where UFDL's clients do it."),
    Route(post, "/", "create_seed", "create", 201, "Add a {}, where UFDL's documents do it."),
    Route(get, ONE, "retrieve", "retrieve", 200, "Show a {}."),
    Route(put, ONE, "update", "update", 200, "Change all of a {}."),
    Route(patch, ONE, "partial_update", "partial_update", 200, "Change some of a {}."),
    Route(delete, ONE, "destroy", "destroy", 204, GONE),
)


def routes(calls: Calls) -> Router:
    """Return the routes of one kind, at ``/v1/job-types`` or its like."""
    return Router(
        f"/v1/{calls.noun.replace(' ', '-')}s",
        tags=(f"{calls.noun}s",),
        route_handlers=[_handler(calls, route) for route in ROUTES],
    )


def _handler(calls: Calls, route: Route) -> HTTPRouteHandler:
    name = f"{calls.actions}_{route.action}"
    described = route.how(
        route.path,
        opt={"action": name},
        operation_id=name,
        status_code=route.status,
        description=route.text.format(calls.noun),
    )
    return described(getattr(calls, route.method))


job_types = routes(Calls(JOB_TYPES, filterable.JOB_TYPES, TYPE_NAMING))
job_contracts = routes(Calls(JOB_CONTRACTS, filterable.JOB_CONTRACTS, CONTRACT_NAMING))
