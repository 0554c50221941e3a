"""Hardware generations: which range of compute capabilities each one covers."""

from typing import Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import bodies
from hub.api.catalogue import Entries, plain
from hub.api.desk import Desk
from hub.api.job_actions import DECIMAL
from hub.api.jobs import AnyRequest
from hub.errors import InvalidInput
from hub.lifecycle.catalogue import HardwareInUse, check_members, check_range, covering, given
from hub.lifecycle.types import legible
from hub.wire.nodes import HARDWARE_TEXTS, HardwareIn, HardwareOut
from orm.filters import fields
from orm.queries.accounts import Source
from orm.queries.hardware import HARDWARE, HardwareRow

MEMBERS = ("generation", "min_compute_capability", "max_compute_capability")


def out(row: HardwareRow) -> HardwareOut:
    """Return a generation as ``/v1`` shows it."""
    return HardwareOut(
        pk=row.pk,
        generation=row.generation,
        min_compute_capability=row.min_compute_capability,
        max_compute_capability=row.max_compute_capability,
    )


async def _read(request: AnyRequest, desk: Desk, is_whole: bool) -> dict[str, Any]:
    del desk
    sent = given(await bodies.read(request, HardwareIn), MEMBERS)
    check_members(sent, HARDWARE_TEXTS, MEMBERS if is_whole else ())
    return sent


async def _check(source: Source, before: HardwareRow, after: HardwareRow | None) -> None:
    del source, before
    if after is not None:
        check_range(after.min_compute_capability, after.max_compute_capability)


ENTRIES = Entries(
    shelf=HARDWARE,
    listed=fields.HARDWARE,
    noun="hardware generation",
    action="hardware",
    audited="hardware",
    read=_read,
    shown=plain(HARDWARE, out),
    twin={"generation": ["hardware with this generation already exists."]},
    in_use=HardwareInUse,
    check=_check,
)


class HardwareController(Controller):
    """``/v1/hardware``."""

    path = "/v1/hardware"
    tags = ("hardware",)

    @post("/list", opt={"action": "hardware_list"}, operation_id="hardware_list", status_code=200)
    async def list_hardware(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[list[HardwareOut]]:
        """List hardware generations that match a filter."""
        return await ENTRIES.matching(request, desk)

    @post("/create", opt={"action": "hardware_create"}, operation_id="hardware_create")
    async def create(
        self, request: AnyRequest, desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Add a generation."""
        return await ENTRIES.create(request, desk)

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
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Show a generation."""
        return await ENTRIES.retrieve(request, desk, pk)

    @put("/{pk:int}", opt={"action": "hardware_update"}, operation_id="hardware_update")
    async def update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Change all of a generation."""
        return await ENTRIES.update(request, desk, pk, is_whole=True)

    @patch(
        "/{pk:int}",
        opt={"action": "hardware_partial_update"},
        operation_id="hardware_partial_update",
    )
    async def partial_update(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> Response[HardwareOut]:
        """Change some of a generation."""
        return await ENTRIES.update(request, desk, pk, is_whole=False)

    @delete("/{pk:int}", opt={"action": "hardware_destroy"}, operation_id="hardware_destroy")
    async def destroy(
        self, request: AnyRequest, pk: FromPath[int], desk: NamedDependency[Desk]
    ) -> None:
        """Remove a generation that no node has and no docker image needs."""
        await ENTRIES.destroy(request, desk, pk)


def _uncovered(compute: str, known: list[HardwareRow]) -> InvalidInput:
    low = min((row.min_compute_capability for row in known), default=0.0)
    high = max((row.max_compute_capability for row in known), default=0.0)
    return InvalidInput(
        "Bad value for get_hardware_generation parameter 'compute': "
        f"{legible(compute)}, options: [{low}, {high})"
    )
