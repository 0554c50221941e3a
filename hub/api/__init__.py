"""``/v1``, the hub's own REST face: controllers that translate, and hold no rule."""

from hub.api.audit import audit_list
from hub.api.auth import AuthController
from hub.api.events import events_list, jobs_events
from hub.api.hardware import HardwareController
from hub.api.health import live, ready
from hub.api.job_actions import JobActionsController
from hub.api.job_lists import jobs_list, jobs_page
from hub.api.job_outputs import JobOutputsController
from hub.api.job_templates import JobTemplatesController
from hub.api.job_types import JobTypesController
from hub.api.jobs import JobsController
from hub.api.nodes import NodesController
from hub.api.outputs import OutputsController
from hub.api.submission import SubmissionController
from hub.api.tokens import TokensController
from hub.api.users import UsersController

CONTROLLERS = (
    NodesController,
    HardwareController,
    JobTypesController,
    JobTemplatesController,
    SubmissionController,
    AuthController,
    TokensController,
    UsersController,
    audit_list,
    jobs_list,
    jobs_page,
    JobsController,
    JobActionsController,
    OutputsController,
    JobOutputsController,
    events_list,
    jobs_events,
    live,
    ready,
)
