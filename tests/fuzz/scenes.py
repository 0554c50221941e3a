"""For every operation a call that succeeds: who calls, about what, with which body."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.conformance.foreign import Client, good
from tests.fuzz.ground import (
    PASSWORD,
    Ground,
    Json,
    class_members,
    cuda_members,
    docker_members,
    framework_members,
    hardware_members,
    licence_members,
    node_members,
    template_form,
    template_members,
    user_members,
)

LOG_TYPE = "Compressed%3CJSON,%208%3E"


NOWHERE: Mapping[str, str] = MappingProxyType({})


class Scene(NamedTuple):
    """A call that would succeed.

    Attributes:
        caller: Who may do it.
        places: What stands in its path, percent-encoded.
        body: Of JSON operations an object, of uploads bytes, else nothing.
    """

    caller: Client
    places: Mapping[str, str] = NOWHERE
    body: Json = None


Make = Callable[[Ground], Scene]
Members = Callable[[int], Json]


def _just(body: Json) -> Members:
    return lambda _: body


NOTHING = _just(None)
FILTER = _just({"expressions": [], "order_by": [], "include_inactive": True})
START = _just({"send_notification": ""})
FINISH = _just({"success": False, "send_notification": "", "error": "it broke"})
DESCRIPTION = _just({"description": "changed"})
TERMS = {"type": "conditions", "method": "add", "names": ["State changes"]}
OUTPUT = {"name": "log", "type_text": LOG_TYPE}


def _by(caller: str, members: Members = NOTHING, **places: str) -> Make:
    """A call about nothing that must be there already."""
    return lambda ground: Scene(getattr(ground.world, caller), places, members(ground.number()))


def _about(kind: str, members: Members = NOTHING, *, place: str = "pk") -> Make:
    """An administrator's call about a new thing."""
    return lambda ground: Scene(
        ground.world.admin, {place: str(ground.new(kind))}, members(ground.number())
    )


def _own_node(members: Members = NOTHING) -> Make:
    """A node's call about itself."""

    def scene(ground: Ground) -> Scene:
        node = ground.world.new_node()
        return Scene(node, {"pk": str(node.node)}, members(ground.number()))

    return scene


def _job(caller: str, members: Members = NOTHING) -> Make:
    """An account's call about a job that waits."""
    return lambda ground: Scene(
        getattr(ground.world, caller), {"pk": str(ground.job())}, members(0)
    )


def _taken(make: Callable[[Ground], tuple[int, Client]], members: Members = NOTHING) -> Make:
    """An administrator's call about a job that a node has."""
    return lambda ground: Scene(ground.world.admin, {"pk": str(make(ground)[0])}, members(0))


def _held(
    make: Callable[[Ground], tuple[int, Client]], members: Members = NOTHING, **places: str
) -> Make:
    """A call about a job by the node that has it."""

    def scene(ground: Ground) -> Scene:
        job, node = make(ground)
        return Scene(node, {"pk": str(job), **places}, members(0))

    return scene


def _hidden(path: str, make: Callable[[Ground], int]) -> Make:
    """An administrator's call about something that is hidden."""

    def scene(ground: Ground) -> Scene:
        admin, pk = ground.world.admin, make(ground)
        assert admin.delete(f"/v1/{path}/{pk}").status_code == 204
        return Scene(admin, {"pk": str(pk)})

    return scene


def _shown(caller: str) -> Make:
    """A call about an output by its job, name and type."""
    return lambda ground: Scene(
        getattr(ground.world, caller), {"pk": str(ground.output()[0]), **OUTPUT}
    )


def _numbered(caller: str, members: Members = NOTHING) -> Make:
    """A call about an output by its number."""
    return lambda ground: Scene(
        getattr(ground.world, caller), {"pk": str(ground.output()[1])}, members(0)
    )


def _create_job(ground: Ground) -> Scene:
    values = {"text": {"value": "x", "type": "str"}}
    said = {
        "input_values": values,
        "parameter_values": {"size": {"value": 2, "type": "int"}},
        "description": "",
        "notification_override": {"actions": {"on_start": [{}]}},
    }
    return Scene(ground.world.creator, {"pk": str(ground.template)}, said)


def _submission(ground: Ground) -> Scene:
    said = {"template": ground.template, "inputs": {"text": "x"}, "labels": {"a": "b"}}
    return Scene(ground.world.creator, {}, said)


def _compute(ground: Ground) -> Scene:
    row = good(ground.world.admin.get(f"/v1/hardware/{ground.new('hardware')}"))
    return Scene(ground.world.viewer, {"compute": str(row["min_compute_capability"])})


def _late(ground: Ground) -> Scene:
    """An administrator's call about what a node uploaded too late."""
    job, _ = ground.lost()
    (item,) = good(ground.world.admin.get(f"/v1/jobs/{job}/quarantine"))["items"]
    return Scene(ground.world.admin, {"pk": str(job), "item": str(item["pk"])})


def _template_change(_: int) -> Json:
    members = template_members(0)
    return {name: members[name] for name in members if name not in ("name", "version")}


SCENES: dict[str, Make] = {
    "health_live": _by("nobody"),
    "health_ready": _by("nobody"),
    "auth_obtain": _by("nobody", _just({"username": "viewer", "password": "viewer-password"})),
    "auth_refresh": lambda g: Scene(g.world.nobody, {}, {"refresh": g.refresh}),
    "auth_verify": lambda g: Scene(g.world.nobody, {}, {"token": g.refresh}),
    "auth_session_start": _by(
        "nobody", _just({"username": "viewer", "password": "viewer-password"})
    ),
    "auth_session_end": _by("nobody"),
    "tickets_create": _by("viewer", _just({"job": 1})),
    "tokens_list": _by("viewer"),
    "tokens_create": _by("viewer", lambda n: {"name": f"token {n}", "expires_in_s": 1_000}),
    "tokens_revoke": lambda g: Scene(g.world.creator, {"pk": str(g.token())}),
    "users_list": _by("admin", FILTER),
    "users_create": _by("admin", user_members),
    "users_retrieve": _about("users", place="who"),
    "users_update": _about("users", lambda n: {"username": f"other{n}", "password": PASSWORD}),
    "users_partial_update": _about("users", _just({"first_name": "Maria"})),
    "users_destroy": _about("users"),
    "audit_list": _by("admin"),
    "nodes_list": _by("viewer", FILTER),
    "nodes_create": _by("worker", node_members),
    "nodes_retrieve": _own_node(),
    "nodes_update": _own_node(node_members),
    "nodes_partial_update": _own_node(_just({"driver_version": "2"})),
    "nodes_destroy": _own_node(),
    "nodes_ping": lambda g: Scene(g.workers_node),
    "hardware_list": _by("viewer", FILTER),
    "hardware_create": _by("admin", hardware_members),
    "hardware_retrieve": _about("hardware"),
    "hardware_update": _about("hardware", hardware_members),
    "hardware_partial_update": _about("hardware", _just({"max_compute_capability": 1_000})),
    "hardware_destroy": _about("hardware"),
    "hardware_generation": _compute,
    "cuda_list": _by("viewer", FILTER),
    "cuda_create": _by("admin", cuda_members),
    "cuda_retrieve": _about("cuda"),
    "cuda_update": _about("cuda", cuda_members),
    "cuda_partial_update": _about("cuda", _just({"min_driver_version": "2"})),
    "cuda_destroy": _about("cuda"),
    "frameworks_list": _by("viewer", FILTER),
    "frameworks_create": _by("admin", framework_members),
    "frameworks_retrieve": _about("frameworks"),
    "frameworks_update": _about("frameworks", framework_members),
    "frameworks_partial_update": _about("frameworks", _just({"version": "2"})),
    "frameworks_destroy": _about("frameworks"),
    "licences_list": _by("viewer", FILTER),
    "licences_create": _by("admin", licence_members),
    "licences_retrieve": _about("licences"),
    "licences_update": _about("licences", licence_members),
    "licences_partial_update": _about("licences", _just({"url": "elsewhere"})),
    "licences_destroy": _about("licences"),
    "licences_subdescriptors": _about("licences", _just(TERMS)),
    "docker_list": _by("viewer", FILTER),
    "docker_create": _by("admin", docker_members),
    "docker_retrieve": _about("docker"),
    "docker_update": _about("docker", docker_members),
    "docker_partial_update": _about("docker", _just({"cpu": True})),
    "docker_destroy": _about("docker"),
    "domains_list": _by("viewer", FILTER),
    "domains_retrieve": _by("viewer", pk="1"),
    "domains_create": _by("admin"),
    "domains_update": _by("admin", pk="1"),
    "domains_partial_update": _by("admin", pk="1"),
    "domains_destroy": _by("admin", pk="1"),
    "job_types_list": _by("viewer", FILTER),
    "job_types_create": _by("admin", class_members),
    "job_types_create_seed": _by("admin", class_members),
    "job_types_retrieve": _about("job_types"),
    "job_types_update": _about("job_types", class_members),
    "job_types_partial_update": _about("job_types", _just({"pkg": "other.kinds"})),
    "job_types_destroy": _about("job_types"),
    "job_types_values": _by("viewer", resident_type="DockerImage"),
    "job_contracts_list": _by("viewer", FILTER),
    "job_contracts_create": _by("admin", class_members),
    "job_contracts_create_seed": _by("admin", class_members),
    "job_contracts_retrieve": _about("job_contracts"),
    "job_contracts_update": _about("job_contracts", class_members),
    "job_contracts_partial_update": _about("job_contracts", _just({"pkg": "other.kinds"})),
    "job_contracts_destroy": _about("job_contracts"),
    "job_templates_list": _by("viewer", FILTER),
    "job_templates_declare": _by("admin", template_members),
    "job_templates_create": _by("admin"),
    "job_templates_retrieve": _about("job_templates"),
    "job_templates_update": _about("job_templates", _template_change),
    "job_templates_partial_update": _about("job_templates", _just({"timeout_s": 5})),
    "job_templates_destroy": _about("job_templates"),
    "job_templates_reinstate": _hidden("job-templates", lambda g: g.new("job_templates")),
    "job_templates_hard_delete": _about("job_templates"),
    "job_templates_create_job": _create_job,
    "job_templates_import": _by("admin", template_form),
    "job_templates_export": _about("job_templates"),
    "job_templates_matching": _by("viewer", contract="Train"),
    "job_templates_parameters": _about("job_templates"),
    "job_templates_types": _about("job_templates"),
    "job_templates_outputs": _about("job_templates"),
    "jobs_list": _by("viewer", FILTER),
    "jobs_page": _by("viewer"),
    "jobs_submit": _submission,
    "jobs_create": _by("admin"),
    "jobs_retrieve": _job("viewer"),
    "jobs_update": _job("admin", DESCRIPTION),
    "jobs_partial_update": _job("admin", DESCRIPTION),
    "jobs_destroy": _job("admin"),
    "jobs_hard_delete": _job("admin"),
    "jobs_reinstate": _hidden("jobs", Ground.job),
    "jobs_acquire": lambda g: Scene(g.world.new_node(), {"pk": str(g.job())}),
    "jobs_release": _held(Ground.acquired),
    "jobs_start": _held(Ground.acquired, START),
    "jobs_progress": _held(Ground.running, _just({"comment": "half"}), amount="0.5"),
    "jobs_finish": _held(Ground.running, FINISH),
    "jobs_reset": _held(Ground.failed),
    "jobs_abort": _taken(Ground.acquired),
    "jobs_cancel": _job("creator"),
    "jobs_requeue": _taken(Ground.failed, _just({"priority": 5})),
    "jobs_events": _job("viewer"),
    "jobs_executions": _job("viewer"),
    "jobs_quarantine": _taken(Ground.lost),
    "jobs_quarantine_get": _late,
    "outputs_add": _held(Ground.running, _just(b"bytes"), **OUTPUT),
    "outputs_get": _shown("viewer"),
    "outputs_head": _shown("viewer"),
    "outputs_info": _shown("viewer"),
    "outputs_delete": _shown("admin"),
    "job_outputs_list": _by("viewer", FILTER),
    "job_outputs_retrieve": _numbered("viewer"),
    "job_outputs_destroy": _numbered("admin"),
    "job_outputs_hard_delete": _numbered("admin"),
    "job_outputs_reinstate": _hidden("job-outputs", lambda g: g.output()[1]),
    "job_outputs_download": _numbered("viewer", _just({"filetype": "png"})),
    "job_outputs_create": _by("admin"),
    "job_outputs_update": _numbered("admin"),
    "job_outputs_partial_update": _numbered("admin"),
    "events_list": _by("viewer"),
    "events_stream": _by("viewer"),
}
"""By action; what nobody may do is called by an administrator and refused all the same."""
