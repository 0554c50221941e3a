"""What the routes of the catalogue have in common: list, add, show, change and remove entries."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Response

from hub import clock
from hub.api.desk import Desk
from hub.api.found import found
from hub.api.job_view import ENCODER
from hub.api.jobs import AnyRequest
from hub.api.lists import Encode, answer_list
from hub.auth.guard import actor_of
from hub.errors import Conflict, InvalidInput
from hub.lifecycle.catalogue import noted
from hub.lifecycle.commands import Actor
from orm.engine import Engine
from orm.errors import NotUnique, StillReferenced
from orm.filters.fields import Resource
from orm.queries.shelf import Change, Check, KeptRow, Note, Shelf, allow

Row = TypeVar("Row", bound=KeptRow)
Out = TypeVar("Out")

Shown = Callable[[Engine, Actor, Sequence[int]], Awaitable[list[Out]]]
"""Entries by number as this caller may see them, in that order; those that are gone are left out.
"""

Read = Callable[[AnyRequest, Desk, bool], Awaitable[dict[str, Any]]]
"""The columns that a body sets; the flag says whether all that must be there must be sent."""


def plain(shelf: Shelf[Row], out: Callable[[Row], Out]) -> Shown[Out]:
    """Return how entries are shown that look alike to everybody."""

    async def shown(engine: Engine, actor: Actor, pks: Sequence[int]) -> list[Out]:
        del actor
        return [out(row) for row in await shelf.rows(engine, pks)]

    return shown


def as_it_is(row: Row) -> Row:
    """Return a row of which nothing must be hidden from the audit."""
    return row


class View(msgspec.Struct, Generic[Out], frozen=True, kw_only=True, eq=False):
    """One kind of entry, to look at.

    Attributes:
        listed: By what the entries are filtered.
        noun: What one is called.
        shown: How they are shown.
    """

    listed: Resource
    noun: str
    shown: Shown[Out]

    def encoder(self, desk: Desk, actor: Actor) -> Encode:
        """Return how a list of entries becomes JSON for this caller."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            return [ENCODER.encode(entry) for entry in await self.shown(desk.engine, actor, pks)]

        return encode

    async def matching(self, request: AnyRequest, desk: Desk) -> Response[Any]:
        """Answer with the entries that match the filter in the body."""
        encode = self.encoder(desk, actor_of(request.scope))
        return await answer_list(request, desk, self.listed, encode)

    async def retrieve(self, request: AnyRequest, desk: Desk, pk: int) -> Response[Out]:
        """Answer with an entry."""
        return Response(await self.one(request, desk, pk))

    async def one(self, request: AnyRequest, desk: Desk, pk: int) -> Out:
        """Return an entry as the caller may see it.

        Raises:
            NotFound: there is none of this number.
        """
        entries = await self.shown(desk.engine, actor_of(request.scope), [pk])
        return found(next(iter(entries), None), self.noun, pk)


class Entries(View[Out], Generic[Row, Out], frozen=True, kw_only=True, eq=False):
    """One kind of entry that administrators add, change and remove.

    Attributes:
        shelf: Where the entries are kept.
        action: How the names of their routes begin.
        audited: The kind of object that the audit calls them.
        read: How a body becomes columns.
        twin: What is said, by member, when another entry has the key.
        in_use: What is raised when others refer to the entry that shall go.
        check: What else an entry must satisfy to become what it shall be, or to go.
        hidden: A row as the audit may keep it.
    """

    shelf: Shelf[Row]
    action: str
    audited: str
    read: Read
    twin: Mapping[str, Sequence[str]]
    in_use: type[Conflict] = Conflict
    check: Check[Row] = allow
    hidden: Callable[[Row], Row] = as_it_is

    async def create(self, request: AnyRequest, desk: Desk) -> Response[Out]:
        """Add the entry in the body."""
        columns = await self.read(request, desk, True)
        note = self._note(request, "create")
        now_us = clock.wall_us()
        try:
            row = await self.shelf.add(desk.engine, columns, note, now_us, check=self.check)
        except NotUnique as error:
            raise self._taken() from error
        return Response(await self.one(request, desk, row.pk), status_code=201)

    async def update(
        self, request: AnyRequest, desk: Desk, pk: int, *, is_whole: bool
    ) -> Response[Out]:
        """Change an entry; ``is_whole`` says whether the body must hold all members."""
        await self.one(request, desk, pk)  # what is not there is said before a bad body
        return await self.change(request, desk, pk, await self.read(request, desk, is_whole))

    async def change(
        self, request: AnyRequest, desk: Desk, pk: int, columns: Change[Row]
    ) -> Response[Out]:
        """Change columns of an entry."""
        note = self._note(request, "update")
        now_us = clock.wall_us()
        try:
            row = await self.shelf.change(desk.engine, pk, columns, note, now_us, check=self.check)
        except NotUnique as error:
            raise self._taken() from error
        found(row, self.noun, pk)
        return Response(await self.one(request, desk, pk))

    async def destroy(self, request: AnyRequest, desk: Desk, pk: int) -> None:
        """Remove an entry that nothing refers to."""
        note = self._note(request, "destroy")
        now_us = clock.wall_us()
        try:
            gone = await self.shelf.remove(desk.engine, pk, note, now_us, check=self.check)
        except StillReferenced as error:
            raise self.in_use from error
        found(gone, self.noun, pk)

    def _note(self, request: AnyRequest, what: str) -> Note[Row]:
        note = noted(actor_of(request.scope), f"{self.action}.{what}", self.audited)
        return lambda before, after: note(self._kept(before), self._kept(after))

    def _kept(self, row: Row | None) -> Row | None:
        return None if row is None else self.hidden(row)

    def _taken(self) -> InvalidInput:
        return InvalidInput(f"this {self.noun} is there already", fields=self.twin)
