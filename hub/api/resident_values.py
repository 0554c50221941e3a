"""The objects that are the values of a type, of those types whose values the hub keeps."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api import cuda, docker, domains, frameworks, hardware
from hub.api.catalogue import View
from hub.api.desk import Desk
from hub.api.job_view import output_out
from hub.api.jobs import AnyRequest
from hub.api.lists import answer_matching
from hub.auth.guard import actor_of
from hub.lifecycle.commands import Actor
from hub.lifecycle.resident import objects_of
from hub.wire.jobs import OutputOut
from orm.engine import Engine
from orm.filters.fields import JOB_OUTPUTS
from orm.queries import outputs
from orm.queries.named_classes import JOB_TYPES

PATH = "/v1/job-types/get-all-values/"


async def _outputs(engine: Engine, actor: Actor, pks: Sequence[int]) -> list[OutputOut]:
    del actor
    return [output_out(row) for row in await outputs.some(engine, pks)]


VIEWS: dict[str, View[Any]] = {
    "CUDAVersion": cuda.ENTRIES,
    "DockerImage": docker.ENTRIES,
    "Domain": domains.VIEW,
    "Framework": frameworks.ENTRIES,
    "Hardware": hardware.ENTRIES,
    "JobOutput": View(listed=JOB_OUTPUTS, noun="output", shown=_outputs),
}


@get(
    PATH + "{resident_type:path}",
    opt={"action": "job_types_values"},
    operation_id="job_types_values",
    tags=("job types",),
)
async def job_types_values(
    request: AnyRequest, resident_type: FromPath[str], desk: NamedDependency[Desk]
) -> Response[list[dict[str, Any]]]:
    """Give the objects that are the values of a type."""
    del resident_type  # the framework tidies paths up, but in a type every slash counts
    text = unquote(request.scope["raw_path"].decode("latin-1")).partition(PATH)[2]
    sought = objects_of(text, await JOB_TYPES.registered(desk.engine))
    view = VIEWS.get(sought.family)
    if view is None:
        return Response([])
    encode = view.encoder(desk, actor_of(request.scope))
    return await answer_matching(desk, view.listed, sought.conditions, encode)
