"""An example of each call's body and answer: one small story about thumbnails of pictures."""

from typing import Any

import msgspec
from msgspec.structs import replace

from hub.wire.accounts import (
    AuditOut,
    AuditPage,
    Refreshed,
    SignedIn,
    TokenMade,
    TokenOut,
    UserOut,
    Verified,
)
from hub.wire.events import EventOut, EventPage
from hub.wire.health import Health
from hub.wire.job_types import JobTypeOut
from hub.wire.jobs import JobOut, JobPage, OutputOut, OutputRef, TemplateRef, ValueOut
from hub.wire.nodes import HardwareOut, NodeOut
from hub.wire.templates import Requirements, TemplateOut

MADE = "2026-11-22T09:53:20.353815Z"
TAKEN = "2026-11-22T09:53:21.104203Z"
STARTED = "2026-11-22T09:53:21.530077Z"
ENDED = "2026-11-22T09:53:48.921640Z"
CURSOR = "v1:k3p9:945"
ACCESS = "hub_a_Yk3vQ0m8uT1xB7cR"
REFRESH = "hub_r_p2Wd9LzA4nJ6sH5e"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
PNG = "BLOB<'png'>"

MARIA = UserOut(
    username="maria",
    pk=2,
    last_login=MADE,
    is_superuser=False,
    first_name="Maria",
    last_name="Mitchell",
    email="maria@example.org",
    is_staff=False,
    is_active=True,
    date_joined="2026-11-01T08:00:00.000000Z",
    role="user",
)
TOKEN = TokenOut(pk=5, name="camera worker", user=2, creation_time=MADE, expiry_time=None)
NODE = NodeOut(
    pk=3,
    ip="192.0.2.17",
    index=0,
    driver_version="550.54.15",
    hardware_generation=4,
    gpu_mem=25_769_803_776,
    cpu_mem=68_719_476_736,
    last_seen=MADE,
    current_job=None,
    owner=2,
    creation_time="2026-11-01T08:05:00.000000Z",
)
AMPERE = HardwareOut(
    pk=4, generation="Ampere", min_compute_capability=8.0, max_compute_capability=8.9
)
PICTURE = JobTypeOut(pk=26, name="Picture", pkg="studio.types", cls="studio.types.Picture")
THUMBNAIL = TemplateOut(
    pk=1,
    name="thumbnail",
    version=1,
    description="Make a picture small",
    scope="",
    domain=None,
    licence=None,
    creator=1,
    creation_time="2026-11-01T09:00:00.000000Z",
    deletion_time=None,
    type="",
    executor_class="studio.work.Thumbnail",
    required_packages="studio",
    parameters={
        "width": {
            "types": ["int"],
            "help": "in pixels",
            "default": 640,
            "default_type": "int",
            "const": False,
        }
    },
    inputs={"source": {"types": ["str"], "help": "address of the picture"}},
    outputs={"thumbnail": {"type": PNG, "help": ""}},
    timeout_s=600,
    max_tries=3,
    priority=100,
    labels={"team": "studio"},
    requirements=Requirements(mem=512),
)
QUEUED = JobOut(
    pk=7,
    template=TemplateRef(pk=1, name="thumbnail", version=1),
    parent=None,
    start_time=None,
    end_time=None,
    error_reason=None,
    input_values={"source": ValueOut(value="sunrise.jpg", type="str")},
    parameter_values={"width": ValueOut(value=320, type="int")},
    node=None,
    outputs=[],
    description="front page",
    is_cancelled=False,
    creator=2,
    creation_time=MADE,
    deletion_time=None,
    status="QUEUED",
    progress_amount=0.0,
    progress_data=None,
    attempt=0,
    tries=0,
    max_tries=3,
    num_exes=1,
    priority=100,
    labels={"team": "studio"},
    queued_time=MADE,
    last_modified=MADE,
)
ACQUIRED = replace(QUEUED, status="ACQUIRED", node=3, attempt=1, tries=1, last_modified=TAKEN)
RUNNING = replace(ACQUIRED, status="RUNNING", start_time=STARTED, last_modified=STARTED)
REPORTED = replace(RUNNING, progress_amount=0.25, progress_data={"comment": "decoded"})
COMPLETED = replace(
    REPORTED,
    status="COMPLETED",
    end_time=ENDED,
    outputs=[OutputRef(pk=11, name="thumbnail", type=PNG)],
    last_modified=ENDED,
)
CANCELED = replace(
    QUEUED, status="CANCELED", is_cancelled=True, error_reason="Cancelled", last_modified=TAKEN
)
OUTPUT = OutputOut(
    pk=11,
    job=7,
    name="thumbnail",
    type=PNG,
    creator=2,
    creation_time="2026-11-22T09:53:48.800112Z",
    deletion_time=None,
    attempt=1,
    size=14_210,
    sha256=SHA256,
)
HIDDEN_OUTPUT = replace(OUTPUT, deletion_time=ENDED)
PROGRESS = EventOut(
    g=945,
    job=7,
    seq=4,
    tseq=3,
    type="job.progress",
    transition="progress",
    from_status="RUNNING",
    to_status="RUNNING",
    time="2026-11-22T09:53:30.000418Z",
    attempt=1,
    node=3,
    progress_amount=0.25,
    n=1,
    data={"comment": "decoded"},
)
EVENTS = EventPage(items=[PROGRESS], cursor=CURSOR, head=CURSOR)
ACT = AuditOut(
    pk=31,
    time=TAKEN,
    actor=1,
    session="s8Zq",
    address="192.0.2.4",
    action="jobs.cancel",
    object_type="job",
    object_pk=7,
    before="QUEUED",
    after="CANCELED",
    hash=SHA256,
)
MESSAGE = {
    "transition": "progress",
    "description": "front page",
    "pk": 7,
    "progress": 0.25,
    "cancelled": False,
    "node": 3,
    "transition_data": {"comment": "decoded"},
    "seq": 4,
    "tseq": 3,
    "cursor": CURSOR,
}
"""What a watcher of a job is told."""


class Example(msgspec.Struct, frozen=True):
    """A call: what is sent, and the struct, the structs or the text that come back."""

    request: Any = None
    response: Any = None

    def answer(self) -> Any:
        """Return the answer as it is on the wire, decoded."""
        return msgspec.to_builtins(self.response)


def _where(field: str, value: Any) -> dict[str, Any]:
    return {"expressions": [{"type": "exact", "field": field, "value": value}]}


NEW_NODE = {"ip": "192.0.2.17", "index": 0, "cpu_mem": 68_719_476_736}
NEW_HARDWARE = {
    "generation": "Ampere",
    "min_compute_capability": 8.0,
    "max_compute_capability": 8.9,
}
NEW_TYPE = {"name": "Picture", "pkg": "studio.types", "cls": "studio.types.Picture"}
TEMPLATE_BODY = {
    "description": "Make a picture small",
    "inputs": {"source": {"type": "str", "help": "address of the picture"}},
    "parameters": {"width": {"type": "int", "help": "in pixels", "default": 640}},
    "outputs": {"thumbnail": PNG},
    "timeout_s": 600,
    "labels": {"team": "studio"},
    "requirements": {"mem": 512},
    "executor_class": "studio.work.Thumbnail",
    "required_packages": "studio",
}
SECOND_THUMBNAIL = replace(THUMBNAIL, pk=2, version=2)
NEXT_FREE = {
    "expressions": [
        {"type": "exact", "field": "status", "value": "QUEUED"},
        {"type": "contains", "field": "description", "sub_string": "front"},
    ],
    "order_by": [{"field": "creation_time", "ascending": False}],
}
DONE = {"success": True, "send_notification": "", "outputs": ["thumbnail"]}

EXAMPLES: dict[str, Example] = {
    "auth_obtain": Example(
        {"username": "maria", "password": "correct horse battery"}, SignedIn(ACCESS, REFRESH)
    ),
    "auth_refresh": Example({"refresh": REFRESH}, Refreshed(ACCESS)),
    "auth_verify": Example({"token": ACCESS}, Verified()),
    "tokens_list": Example(response=[TOKEN]),
    "tokens_create": Example(
        {"name": "camera worker"},
        TokenMade(
            pk=5,
            name="camera worker",
            user=2,
            creation_time=MADE,
            expiry_time=None,
            token="hub_n_Gv8xU3qK7fM2bT6y",
        ),
    ),
    "users_list": Example(_where("role", "user"), [MARIA]),
    "users_create": Example(
        {"username": "maria", "password": "correct horse battery", "role": "user"}, MARIA
    ),
    "users_retrieve": Example(response=[MARIA]),
    "users_update": Example({"username": "maria", "email": "maria@example.org"}, MARIA),
    "users_partial_update": Example({"email": "maria@example.org"}, MARIA),
    "nodes_list": Example(_where("ip", "192.0.2.17"), [NODE]),
    "nodes_create": Example(NEW_NODE, NODE),
    "nodes_retrieve": Example(response=NODE),
    "nodes_update": Example(NEW_NODE, NODE),
    "nodes_partial_update": Example({"driver_version": "550.54.15"}, NODE),
    "hardware_list": Example(_where("generation", "Ampere"), [AMPERE]),
    "hardware_create": Example(NEW_HARDWARE, AMPERE),
    "hardware_retrieve": Example(response=AMPERE),
    "hardware_update": Example(NEW_HARDWARE, AMPERE),
    "hardware_partial_update": Example({"max_compute_capability": 8.9}, AMPERE),
    "hardware_generation": Example(response=AMPERE),
    "job_types_list": Example(_where("name", "Picture"), [PICTURE]),
    "job_types_create": Example(NEW_TYPE, PICTURE),
    "job_types_create_seed": Example(NEW_TYPE, PICTURE),
    "job_types_retrieve": Example(response=PICTURE),
    "job_types_update": Example(NEW_TYPE, PICTURE),
    "job_types_partial_update": Example({"pkg": "studio.types"}, PICTURE),
    "job_templates_list": Example(_where("name", "thumbnail"), [THUMBNAIL]),
    "job_templates_declare": Example({"name": "thumbnail", **TEMPLATE_BODY}, THUMBNAIL),
    "job_templates_retrieve": Example(response=THUMBNAIL),
    "job_templates_update": Example(TEMPLATE_BODY, SECOND_THUMBNAIL),
    "job_templates_partial_update": Example({"timeout_s": 600}, SECOND_THUMBNAIL),
    "job_templates_reinstate": Example(response=THUMBNAIL),
    "job_templates_hard_delete": Example(response=THUMBNAIL),
    "job_templates_create_job": Example(
        {
            "input_values": {"source": {"value": "sunrise.jpg", "type": "str"}},
            "parameter_values": {"width": {"value": 320, "type": "int"}},
            "description": "front page",
        },
        QUEUED,
    ),
    "jobs_list": Example(NEXT_FREE, [QUEUED]),
    "jobs_page": Example(response=JobPage(items=[QUEUED], next="WyItY3JlYXRlZCIsWzddXQ")),
    "jobs_submit": Example(
        {
            "template": "thumbnail",
            "inputs": {"source": "sunrise.jpg"},
            "parameters": {"width": 320},
            "description": "front page",
        },
        QUEUED,
    ),
    "jobs_retrieve": Example(response=REPORTED),
    "jobs_update": Example({"description": "front page"}, QUEUED),
    "jobs_partial_update": Example({"description": "front page"}, QUEUED),
    "jobs_hard_delete": Example(response=COMPLETED),
    "jobs_reinstate": Example(response=COMPLETED),
    "jobs_abort": Example(response=replace(QUEUED, attempt=1, tries=1, last_modified=ENDED)),
    "jobs_cancel": Example(response=CANCELED),
    "jobs_requeue": Example({"priority": 50}, replace(QUEUED, priority=50)),
    "jobs_acquire": Example(response=ACQUIRED),
    "jobs_release": Example(response=replace(QUEUED, attempt=1, last_modified=ENDED)),
    "jobs_start": Example({"send_notification": ""}, RUNNING),
    "jobs_progress": Example({"comment": "decoded"}, REPORTED),
    "jobs_finish": Example(DONE, COMPLETED),
    "jobs_reset": Example(response=replace(ACQUIRED, num_exes=2)),
    "outputs_add": Example("the bytes of the picture", OUTPUT),
    "outputs_get": Example(response="the bytes of the picture"),
    "outputs_info": Example(response=OUTPUT),
    "outputs_delete": Example(response=HIDDEN_OUTPUT),
    "job_outputs_list": Example(_where("job", 7), [OUTPUT]),
    "job_outputs_retrieve": Example(response=OUTPUT),
    "job_outputs_hard_delete": Example(response=HIDDEN_OUTPUT),
    "job_outputs_reinstate": Example(response=OUTPUT),
    "job_outputs_download": Example({"filetype": "png"}, "the bytes of the picture"),
    "events_list": Example(response=EVENTS),
    "jobs_events": Example(response=EVENTS),
    "audit_list": Example(response=AuditPage(items=[ACT], next=None)),
    "health_live": Example(response=Health(status="ok", problems=[])),
    "health_ready": Example(response=Health(status="ok", problems=[])),
}
"""By action; calls with neither a body nor an answer are left out."""
