"""Domains: the kinds of data that there are. Nobody adds one, changes one or removes one."""

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api.catalogue import View, plain
from hub.api.desk import Desk
from hub.api.jobs import AnyRequest
from hub.errors import Forbidden
from hub.wire.docker import DomainOut
from orm.filters import fields
from orm.queries.domains import DOMAINS, DomainRow

NOT_THIS_WAY = "domains come with the hub, and stay as they are"


def out(row: DomainRow) -> DomainOut:
    """Return a domain as ``/v1`` shows it."""
    return DomainOut(pk=row.pk, name=row.name, description=row.description)


VIEW = View(listed=fields.DOMAINS, noun="domain", shown=plain(DOMAINS, out))


class DomainsController(Controller):
    """``/v1/domains``."""

    path = "/v1/domains"
    tags = ("domains",)

    @post("/list", opt={"action": "domains_list"}, operation_id="domains_list", status_code=200)
    async def list_domains(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[DomainOut]]:
        """List domains that match a filter."""
        return await VIEW.matching(request, desk)

    @get("/{pk:int}", opt={"action": "domains_retrieve"}, operation_id="domains_retrieve")
    async def retrieve(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[DomainOut]:
        """Show a domain."""
        return await VIEW.retrieve(request, desk, pk)

    @post(
        "/create", opt={"action": "domains_create"}, operation_id="domains_create", status_code=200
    )
    async def create(self) -> None:
        """Refuse: nobody adds a domain."""
        raise Forbidden(NOT_THIS_WAY)

    @put("/{pk:int}", opt={"action": "domains_update"}, operation_id="domains_update")
    async def update(self, pk: FromPath[int]) -> None:
        """Refuse: domains are never changed."""
        del pk
        raise Forbidden(NOT_THIS_WAY)

    @patch(
        "/{pk:int}",
        opt={"action": "domains_partial_update"},
        operation_id="domains_partial_update",
    )
    async def partial_update(self, pk: FromPath[int]) -> None:
        """Refuse: domains are never changed."""
        del pk
        raise Forbidden(NOT_THIS_WAY)

    @delete("/{pk:int}", opt={"action": "domains_destroy"}, operation_id="domains_destroy")
    async def destroy(self, pk: FromPath[int]) -> None:
        """Refuse: domains are never removed."""
        del pk
        raise Forbidden(NOT_THIS_WAY)
