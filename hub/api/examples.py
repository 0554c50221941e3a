"""An example of each call's body and answer: one small story about thumbnails of pictures."""

import msgspec
from msgspec.structs import replace

from channels.protocol import frames
from hub.api.catalogue_examples import CATALOGUE
from hub.api.example import Example, where
from hub.api.template_examples import PNG, TEMPLATES
from hub.wire.accounts import (
    AuditOut,
    AuditPage,
    Refreshed,
    SignedIn,
    TicketMade,
    TokenMade,
    TokenOut,
    UserOut,
    Verified,
)
from hub.wire.cloudevents import CloudEvent
from hub.wire.events import EventOut, EventPage
from hub.wire.executions import ExecutionOut, ExecutionPage
from hub.wire.health import Health
from hub.wire.jobs import JobOut, JobPage, OutputOut, OutputRef, TemplateRef, ValueOut
from hub.wire.nodes import NodeOut
from hub.wire.quarantine import QuarantinedOut, QuarantineOut

MADE = "2026-11-22T09:53:20.353815Z"
TAKEN = "2026-11-22T09:53:21.104203Z"
STARTED = "2026-11-22T09:53:21.530077Z"
ENDED = "2026-11-22T09:53:48.921640Z"
CURSOR = "v1:k3p9:945"
ACCESS = "hub_a_Yk3vQ0m8uT1xB7cR"
REFRESH = "hub_r_p2Wd9LzA4nJ6sH5e"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

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
QUEUED = JobOut(
    pk=7,
    template=TemplateRef(pk=1, name="thumbnail", version=1),
    parent=None,
    child=None,
    children=0,
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
CLOUD_EVENT = CloudEvent(
    id="k3p9:945",
    source="/jobs/7",
    type="job.progress",
    subject="progress",
    time=PROGRESS.time,
    sequence="00000000000000000945",
    data=PROGRESS,
)
EXECUTION = ExecutionOut(
    number=1,
    attempt=1,
    node=3,
    outcome="lost",
    queued_time=MADE,
    acquired_time=TAKEN,
    start_time=STARTED,
    end_time=ENDED,
    error=None,
    error_name="node-lost",
    category="SYSTEM",
)
LATE = QuarantinedOut(
    pk=1,
    job=7,
    node=3,
    account=2,
    name="thumbnail",
    type=PNG,
    size=14_210,
    sha256=SHA256,
    time=ENDED,
    url="/v1/jobs/7/quarantine/1",
)
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


NEW_NODE = {"ip": "192.0.2.17", "index": 0, "cpu_mem": 68_719_476_736}
NEXT_FREE = {
    "expressions": [
        {"type": "exact", "field": "status", "value": "QUEUED"},
        {"type": "contains", "field": "description", "sub_string": "front"},
    ],
    "order_by": [{"field": "creation_time", "ascending": False}],
}
DONE = {"success": True, "send_notification": "", "outputs": ["thumbnail"]}

_STREAMED = msgspec.convert({**msgspec.to_builtins(PROGRESS), "skip": 0}, frames.Event)
_ON_ITS_LINE = {**msgspec.to_builtins(_STREAMED), "cursor": CURSOR}
STREAM_EXAMPLES = {
    "application/x-ndjson": msgspec.json.encode(_ON_ITS_LINE).decode() + "\n",
    "text/event-stream": f"id: {CURSOR}\nevent: {PROGRESS.type}\n"
    f"data: {msgspec.json.encode(_STREAMED).decode()}\n\n",
}
"""What a stream says of one event, by media type."""

EXAMPLES: dict[str, Example] = {
    **CATALOGUE,
    **TEMPLATES,
    "auth_obtain": Example(
        {"username": "maria", "password": "correct horse battery"}, SignedIn(ACCESS, REFRESH)
    ),
    "auth_refresh": Example({"refresh": REFRESH}, Refreshed(ACCESS)),
    "auth_verify": Example({"token": ACCESS}, Verified()),
    "auth_session_start": Example({"username": "maria", "password": "correct horse battery"}),
    "tickets_create": Example({"job": 7}, TicketMade("hub_t_Rw5yN8cD1pK4gV7z", expires_in=30)),
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
    "users_list": Example(where("role", "user"), [MARIA]),
    "users_create": Example(
        {"username": "maria", "password": "correct horse battery", "role": "user"}, MARIA
    ),
    "users_retrieve": Example(response=[MARIA]),
    "users_update": Example({"username": "maria", "email": "maria@example.org"}, MARIA),
    "users_partial_update": Example({"email": "maria@example.org"}, MARIA),
    "nodes_list": Example(where("ip", "192.0.2.17"), [NODE]),
    "nodes_create": Example(NEW_NODE, NODE),
    "nodes_retrieve": Example(response=NODE),
    "nodes_update": Example(NEW_NODE, NODE),
    "nodes_partial_update": Example({"driver_version": "550.54.15"}, NODE),
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
    "job_outputs_list": Example(where("job", 7), [OUTPUT]),
    "job_outputs_retrieve": Example(response=OUTPUT),
    "job_outputs_hard_delete": Example(response=HIDDEN_OUTPUT),
    "job_outputs_reinstate": Example(response=OUTPUT),
    "job_outputs_download": Example({"filetype": "png"}, "the bytes of the picture"),
    "jobs_executions": Example(response=ExecutionPage(items=[EXECUTION], next=None)),
    "jobs_quarantine": Example(response=QuarantineOut(items=[LATE])),
    "jobs_quarantine_get": Example(response="the bytes of the picture"),
    "events_list": Example(response=EVENTS, other=[CLOUD_EVENT]),
    "jobs_events": Example(response=EVENTS, other=[CLOUD_EVENT]),
    "audit_list": Example(response=AuditPage(items=[ACT], next=None)),
    "health_live": Example(response=Health(status="ok", problems=[])),
    "health_ready": Example(response=Health(status="ok", problems=[])),
}
"""By action; calls with neither a body nor an answer are left out."""
