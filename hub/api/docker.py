"""Docker images that templates run in."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies, cuda, frameworks, hardware
from hub.api.catalogue import Entries
from hub.api.desk import Desk
from hub.api.jobs import AnyRequest
from hub.errors import InvalidInput
from hub.lifecycle.catalogue import check_members, given
from hub.lifecycle.commands import Actor
from hub.lifecycle.images import (
    check_machine,
    may_see_secrets,
    tasks_text,
    terms_of,
    without_secrets,
)
from hub.lifecycle.types import legible
from hub.wire.docker import DOCKER_TEXTS, DockerIn, DockerOut
from orm.engine import Engine
from orm.filters import fields
from orm.queries.accounts import Source
from orm.queries.docker import (
    DOCKER_IMAGES,
    DockerRow,
    FullImage,
    images,
    key_of,
    referred,
)

REFERENCES = ("cuda_version", "framework", "domain", "min_hardware_generation", "licence")
REQUIRED = (
    *("name", "version", "url", "registry_url", "cuda_version", "framework", "domain", "tasks"),
    "licence",
)
MEMBERS = (*REQUIRED, "registry_username", "registry_password", "min_hardware_generation", "cpu")


def out(image: FullImage, actor: Actor) -> DockerOut:
    """Return an image as ``/v1`` shows it to this caller."""
    row = image.row if may_see_secrets(actor) else without_secrets(image.row)
    least = image.min_hardware_generation
    return DockerOut(
        pk=row.pk,
        name=row.name,
        version=row.version,
        url=row.url,
        registry_url=row.registry_url,
        registry_username=row.registry_username,
        registry_password=row.registry_password,
        cuda_version=cuda.out(image.cuda_version),
        framework=frameworks.out(image.framework),
        domain=image.domain.description,
        tasks=terms_of(row.tasks),
        min_hardware_generation=None if least is None else hardware.out(least),
        cpu=bool(row.cpu),
        licence=image.licence.name,
    )


async def _shown(engine: Engine, actor: Actor, pks: Sequence[int]) -> list[DockerOut]:
    return [out(image, actor) for image in await images(engine, pks)]


async def _read(request: AnyRequest, desk: Desk, is_whole: bool) -> dict[str, Any]:
    sent = given(await bodies.read(request, DockerIn), MEMBERS)
    check_members(sent, DOCKER_TEXTS, REQUIRED if is_whole else ())
    columns = {**sent, **await _references(desk.engine, sent)}
    if "tasks" in sent:
        columns["tasks"] = tasks_text(sent["tasks"])
    if "cpu" in sent:
        columns["cpu"] = int(sent["cpu"])
    return columns


async def _references(engine: Engine, sent: dict[str, Any]) -> dict[str, int]:
    """Return the numbers of what the members refer to.

    Raises:
        InvalidInput: something is not there.
    """
    named = {name: sent[name] for name in REFERENCES if sent.get(name) is not None}
    numbers = {name: await referred(engine, name, value) for name, value in named.items()}
    missing = {name: [_missing(name, named[name])] for name in named if numbers[name] is None}
    if missing:
        raise InvalidInput(f"this is not there: {', '.join(missing)}", fields=missing)
    return {name: number for name, number in numbers.items() if number is not None}


def _missing(name: str, value: str | int) -> str:
    key = key_of(name)
    if key == "pk":
        return f'Invalid pk "{value}" - object does not exist.'
    return f"Object with {key}={legible(str(value))} does not exist."


async def _check(source: Source, before: DockerRow, after: DockerRow | None) -> None:
    del source, before
    if after is not None:
        check_machine(after)


ENTRIES = Entries(
    shelf=DOCKER_IMAGES,
    listed=fields.DOCKER,
    noun="docker image",
    action="docker",
    audited="docker_image",
    read=_read,
    shown=_shown,
    twin={"non_field_errors": ["The fields name, version must make a unique set."]},
    check=_check,
    hidden=without_secrets,
)


class DockerController(Controller):
    """``/v1/docker``."""

    path = "/v1/docker"
    tags = ("docker images",)

    @post("/list", opt={"action": "docker_list"}, operation_id="docker_list", status_code=200)
    async def list_images(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[DockerOut]]:
        """List docker images that match a filter."""
        return await ENTRIES.matching(request, desk)

    @post("/create", opt={"action": "docker_create"}, operation_id="docker_create")
    async def create(self, request: AnyRequest, desk: NamedDependency[Desk]) -> Response[DockerOut]:
        """Add a docker image."""
        return await ENTRIES.create(request, desk)

    @get("/{pk:int}", opt={"action": "docker_retrieve"}, operation_id="docker_retrieve")
    async def retrieve(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[DockerOut]:
        """Show a docker image."""
        return await ENTRIES.retrieve(request, desk, pk)

    @put("/{pk:int}", opt={"action": "docker_update"}, operation_id="docker_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[DockerOut]:
        """Change a docker image; what must be there at first must be sent."""
        return await ENTRIES.update(request, desk, pk, is_whole=True)

    @patch(
        "/{pk:int}",
        opt={"action": "docker_partial_update"},
        operation_id="docker_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[DockerOut]:
        """Change some of a docker image."""
        return await ENTRIES.update(request, desk, pk, is_whole=False)

    @delete("/{pk:int}", opt={"action": "docker_destroy"}, operation_id="docker_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a docker image."""
        await ENTRIES.destroy(request, desk, pk)
