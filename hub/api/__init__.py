"""``/v1``, the hub's own REST face: controllers that translate, and hold no rule."""

from hub.api.audit import audit_list
from hub.api.auth import AuthController
from hub.api.cuda import CudaController
from hub.api.docker import DockerController
from hub.api.domains import DomainsController
from hub.api.events import events_list, events_stream, jobs_events
from hub.api.executions import jobs_executions
from hub.api.frameworks import FrameworksController
from hub.api.hardware import HardwareController
from hub.api.health import live, ready
from hub.api.job_actions import JobActionsController
from hub.api.job_lists import jobs_list, jobs_page
from hub.api.job_outputs import JobOutputsController
from hub.api.job_templates import JobTemplatesController
from hub.api.jobs import JobsController
from hub.api.licences import LicencesController, LicensesController
from hub.api.named_classes import job_contracts, job_types
from hub.api.nodes import NodesController
from hub.api.outputs import OutputsController
from hub.api.quarantine import QuarantineController
from hub.api.resident_values import job_types_values
from hub.api.stream_tickets import tickets_create
from hub.api.submission import SubmissionController
from hub.api.template_exchange import TemplateExchangeController
from hub.api.template_questions import TemplateQuestionsController
from hub.api.tokens import TokensController
from hub.api.users import UsersController

CONTROLLERS = (
    NodesController,
    HardwareController,
    CudaController,
    FrameworksController,
    DomainsController,
    LicencesController,
    LicensesController,
    DockerController,
    job_types,
    job_types_values,
    job_contracts,
    JobTemplatesController,
    TemplateExchangeController,
    TemplateQuestionsController,
    SubmissionController,
    AuthController,
    tickets_create,
    TokensController,
    UsersController,
    audit_list,
    jobs_list,
    jobs_page,
    JobsController,
    JobActionsController,
    OutputsController,
    QuarantineController,
    JobOutputsController,
    events_list,
    events_stream,
    jobs_events,
    jobs_executions,
    live,
    ready,
)
