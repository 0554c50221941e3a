"""Nodes: the workers, each registered by an account."""

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub import clock
from hub.api import bodies
from hub.api.desk import Desk
from hub.api.found import found
from hub.api.job_view import ENCODER, iso, maybe_iso
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.auth import node_handover
from hub.auth.accounts import Accounts
from hub.auth.guard import NodeOwners, actor_of
from hub.auth.node_contacts import Contact
from hub.errors import Forbidden, InvalidInput
from hub.lifecycle.catalogue import NodeInUse, check_members, given, noted
from hub.lifecycle.commands import Actor
from hub.wire.nodes import NODE_TEXTS, NodeChange, NodeIn, NodeOut
from orm.errors import NotUnique, StillReferenced
from orm.filters.fields import NODES as LISTED
from orm.queries.nodes import NODES, NodeRow, current_jobs
from orm.queries.shelf import Note
from orm.rows import AuditEntry

REQUIRED = ("ip", "index", "cpu_mem")
KIND = "node"
TWIN = "The fields ip, index must make a unique set."

Heard = Mapping[int, Contact]
"""Node -> its last call, where one is remembered."""


class NodesController(Controller):
    """``/v1/nodes``."""

    path = "/v1/nodes"
    tags = ("nodes",)

    @post("/list", opt={"action": "nodes_list"}, operation_id="nodes_list", status_code=200)
    async def list_nodes(
        self,
        request: AnyRequest,
        desk: NamedDependency[Desk],
        owners: NamedDependency[NodeOwners],
    ) -> Response[list[NodeOut]]:
        """List nodes that match a filter."""

        async def encode(pks: Sequence[int]) -> list[bytes]:
            heard = _heard(owners, pks)
            rows = await NODES.rows(desk.engine, pks)
            return [ENCODER.encode(node) for node in await _shown(desk, heard, rows)]

        return await answer_list(request, desk, LISTED, encode)

    @post("/create", opt={"action": "nodes_create"}, operation_id="nodes_create")
    async def create(
        self,
        request: AnyRequest,
        desk: NamedDependency[Desk],
    ) -> Response[NodeOut]:
        """Register a node for the account that calls."""
        actor = actor_of(request.scope)
        sent = await _sent(request, NodeIn, REQUIRED)
        columns = {**sent, "owner": actor.account, "created_us": clock.wall_us()}
        try:
            row = await NODES.add(
                desk.engine, columns, noted(actor, "nodes.create", "node"), columns["created_us"]
            )
        except (NotUnique, StillReferenced) as error:
            raise _refused(error, sent) from error
        return Response(await _one(desk, {}, row), status_code=201)

    @get("/ping", opt={"action": "nodes_ping"}, operation_id="nodes_ping")
    async def ping(self, request: AnyRequest) -> Response[bytes]:
        """Say that the node is there; the header did it already."""
        actor = actor_of(request.scope)
        if actor.node is None and not actor.is_admin:
            raise Forbidden("only a node may do that: send the header Node-Id")
        return Response(b"", media_type="text/plain")

    @get("/{pk:int}", opt={"action": "nodes_retrieve"}, operation_id="nodes_retrieve")
    async def retrieve(
        self,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        owners: NamedDependency[NodeOwners],
    ) -> Response[NodeOut]:
        """Show a node."""
        heard = _heard(owners, [pk])
        row = found(await NODES.get(desk.engine, pk), KIND, pk)
        return Response(await _one(desk, heard, row))

    @put("/{pk:int}", opt={"action": "nodes_update"}, operation_id="nodes_update")
    async def update(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        owners: NamedDependency[NodeOwners],
        accounts: NamedDependency[Accounts],
    ) -> Response[NodeOut]:
        """Change a node; ip, index and cpu_mem must be there."""
        return Response(await _change(request, desk, owners, accounts, pk, REQUIRED))

    @patch("/{pk:int}", opt={"action": "nodes_partial_update"}, operation_id="nodes_partial_update")
    async def partial_update(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        owners: NamedDependency[NodeOwners],
        accounts: NamedDependency[Accounts],
    ) -> Response[NodeOut]:
        """Change some of a node; with ``owner`` an administrator gives it to another account."""
        return Response(await _change(request, desk, owners, accounts, pk, ()))

    @delete("/{pk:int}", opt={"action": "nodes_destroy"}, operation_id="nodes_destroy")
    async def destroy(
        self,
        request: AnyRequest,
        pk: FromPath[int],
        desk: NamedDependency[Desk],
        owners: NamedDependency[NodeOwners],
    ) -> None:
        """Remove a node that no job refers to."""
        actor = actor_of(request.scope)
        await _check_may(actor, desk, pk)
        try:
            note = noted(actor, "nodes.destroy", "node")
            await NODES.remove(desk.engine, pk, note, clock.wall_us())
        except StillReferenced as error:
            raise NodeInUse(
                f"jobs refer to node {pk}: give it to another account instead"
            ) from error
        owners.forget(pk)
        owners.contacts.forget(pk)


async def _change(
    request: AnyRequest,
    desk: Desk,
    owners: NodeOwners,
    accounts: Accounts,
    pk: int,
    required: tuple[str, ...],
) -> NodeOut:
    actor = actor_of(request.scope)
    heard = _heard(owners, [pk])
    await _check_may(actor, desk, pk)
    sent = await _sent(request, NodeChange, required)
    if "owner" in sent:
        sent["owner"] = await node_handover.taker(actor, accounts, sent["owner"])
    check = node_handover.checked(desk.engine, actor)
    try:
        row = await NODES.change(
            desk.engine, pk, sent, _note(actor, pk), clock.wall_us(), check=check
        )
    except (NotUnique, StillReferenced) as error:
        raise _refused(error, sent) from error
    finally:
        owners.forget(pk)  # even if the outcome is unknown
    return await _one(desk, heard, found(row, KIND, pk))


def _note(actor: Actor, pk: int) -> Note[NodeRow]:
    """Return what writes a change down, a change of hands under a name of its own.

    What a node tells of itself is not: every worker does so when it starts.
    """

    def note(before: NodeRow | None, after: NodeRow | None) -> Sequence[AuditEntry]:
        if before and after and before.owner != after.owner:
            return noted(actor, "nodes.hand_over", KIND)(before, after)
        return [] if actor.node == pk else noted(actor, "nodes.update", KIND)(before, after)

    return note


async def _check_may(actor: Actor, desk: Desk, pk: int) -> None:
    """Let administrators and the node itself pass, before anybody learns whether it is there."""
    if not actor.is_admin and actor.node != pk:
        raise Forbidden("only an administrator, or the node itself, may do that")
    found(await NODES.get(desk.engine, pk), KIND, pk)


async def _sent(
    request: AnyRequest, kind: type[NodeIn], required: tuple[str, ...]
) -> dict[str, Any]:
    sent = given(await bodies.read(request, kind), kind.__struct_fields__)
    check_members(sent, NODE_TEXTS, required)
    return sent


def _refused(error: NotUnique | StillReferenced, sent: dict[str, Any]) -> InvalidInput:
    if isinstance(error, NotUnique):
        return InvalidInput("this node is registered already", fields={"non_field_errors": [TWIN]})
    text = f'Invalid pk "{sent.get("hardware_generation")}" - object does not exist.'
    return InvalidInput("no such hardware generation", fields={"hardware_generation": [text]})


def _heard(owners: NodeOwners, pks: Sequence[int]) -> Heard:
    """Return what was heard of nodes; to be asked before their rows are read."""
    return {pk: contact for pk in pks if (contact := owners.contacts.last(pk))}


async def _one(desk: Desk, heard: Heard, row: NodeRow) -> NodeOut:
    (node,) = await _shown(desk, heard, [row])
    return node


async def _shown(desk: Desk, heard: Heard, rows: list[NodeRow]) -> list[NodeOut]:
    working = await current_jobs(desk.engine, [row.pk for row in rows])
    return [out(row, working.get(row.pk), heard.get(row.pk)) for row in rows]


def out(row: NodeRow, current_job: int | None, contact: Contact | None) -> NodeOut:
    """Return a node as ``/v1`` shows it; what was heard of it may not be stored yet."""
    seen_us = contact.shown_us(row.last_seen_us) if contact else row.last_seen_us
    return NodeOut(
        pk=row.pk,
        ip=row.ip,
        index=row.index,
        driver_version=row.driver_version,
        hardware_generation=row.hardware_generation,
        gpu_mem=row.gpu_mem,
        cpu_mem=row.cpu_mem,
        last_seen=maybe_iso(seen_us),
        current_job=current_job,
        owner=row.owner,
        creation_time=iso(row.created_us),
    )
