"""Hardware generations: which range of compute capabilities each one covers."""

from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub import clock
from hub.api import bodies
from hub.api.desk import Desk
from hub.api.job_actions import DECIMAL
from hub.api.job_view import ENCODER
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_list
from hub.auth.guard import actor_of
from hub.errors import InvalidInput, NotFound
from hub.lifecycle.catalogue import (
    HardwareInUse,
    check_members,
    check_range,
    covering,
    given,
    noted,
)
from hub.lifecycle.types import legible
from hub.wire.nodes import HARDWARE_TEXTS, HardwareIn, HardwareOut
from orm.errors import NotUnique, StillReferenced
from orm.filters.fields import HARDWARE as LISTED
from orm.queries.accounts import Source
from orm.queries.hardware import HARDWARE, HardwareRow

MEMBERS = ("generation", "min_compute_capability", "max_compute_capability")
TWIN = {"generation": ["hardware with this generation already exists."]}


class HardwareController(Controller):
    """``/v1/hardware``."""

    path = "/v1/hardware"
    tags = ("hardware",)

    @post("/list", opt={"action": "hardware_list"}, operation_id="hardware_list", status_code=200)
    async def list_hardware(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[HardwareOut]]:
        """List hardware generations that match a filter."""

        async def encode(pks: Any) -> list[bytes]:
            return [ENCODER.encode(out(row)) for row in await HARDWARE.rows(desk.engine, pks)]

        return await answer_list(request, desk, LISTED, encode)

    @post("/create", opt={"action": "hardware_create"}, operation_id="hardware_create")
    async def create(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Add a generation."""
        columns = await _columns(request, MEMBERS)
        check_range(columns["min_compute_capability"], columns["max_compute_capability"])
        note = noted(actor_of(request.scope), "hardware.create", "hardware")
        try:
            row = await HARDWARE.add(desk.engine, columns, note, clock.wall_us())
        except NotUnique as error:
            raise InvalidInput("this generation is there already", fields=TWIN) from error
        return Response(out(row), status_code=201)

    @get(
        "/get-hardware-generation/{compute:str}",
        opt={"action": "hardware_generation"},
        operation_id="hardware_generation",
    )
    async def generation(
        self, compute: FromPath[str], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Show the generation that covers a compute capability."""
        known = await HARDWARE.everything(desk.engine)
        number = float(compute) if len(compute) <= 64 and DECIMAL.fullmatch(compute) else None
        row = None if number is None else covering(number, known)
        if row is None:
            raise _uncovered(compute, known)
        return Response(out(row))

    @get("/{pk:int}", opt={"action": "hardware_retrieve"}, operation_id="hardware_retrieve")
    async def retrieve(
        self, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Show a generation."""
        return Response(out(await _existing(desk, pk)))

    @put("/{pk:int}", opt={"action": "hardware_update"}, operation_id="hardware_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Change all of a generation."""
        return await _change(request, desk, pk, MEMBERS)

    @patch(
        "/{pk:int}",
        opt={"action": "hardware_partial_update"},
        operation_id="hardware_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Change some of a generation."""
        return await _change(request, desk, pk, ())

    @delete("/{pk:int}", opt={"action": "hardware_destroy"}, operation_id="hardware_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a generation that no node has."""
        note = noted(actor_of(request.scope), "hardware.destroy", "hardware")
        try:
            gone = await HARDWARE.remove(desk.engine, pk, note, clock.wall_us())
        except StillReferenced as error:
            raise HardwareInUse from error
        if gone is None:
            raise _missing(pk)


def _uncovered(compute: str, known: list[HardwareRow]) -> InvalidInput:
    ranges = [f"[{row.min_compute_capability}, {row.max_compute_capability})" for row in known]
    return InvalidInput(
        "Bad value for get_hardware_generation parameter 'compute': "
        f"{legible(compute)}, options: {', '.join(ranges)}"
    )


def out(row: HardwareRow) -> HardwareOut:
    """Return a generation as ``/v1`` shows it."""
    return HardwareOut(
        pk=row.pk,
        generation=row.generation,
        min_compute_capability=row.min_compute_capability,
        max_compute_capability=row.max_compute_capability,
    )


async def _change(
    request: AnyRequest, desk: Desk, pk: int, required: tuple[str, ...]
) -> Response[HardwareOut]:
    await _existing(desk, pk)
    columns = await _columns(request, required)
    note = noted(actor_of(request.scope), "hardware.update", "hardware")
    try:
        row = await HARDWARE.change(
            desk.engine, pk, columns, note, clock.wall_us(), check=_check_change
        )
    except NotUnique as error:
        raise InvalidInput("this generation is there already", fields=TWIN) from error
    if row is None:
        raise _missing(pk)
    return Response(out(row))


async def _columns(request: AnyRequest, required: tuple[str, ...]) -> dict[str, Any]:
    sent = given(await bodies.read(request, HardwareIn), MEMBERS)
    check_members(sent, HARDWARE_TEXTS, required)
    return sent


async def _check_change(source: Source, before: HardwareRow, after: HardwareRow | None) -> None:
    del source, before
    if after is not None:
        check_range(after.min_compute_capability, after.max_compute_capability)


async def _existing(desk: Desk, pk: int) -> HardwareRow:
    row = await HARDWARE.get(desk.engine, pk)
    if row is None:
        raise _missing(pk)
    return row


def _missing(pk: int) -> NotFound:
    return NotFound(f"there is no hardware generation {pk}")
