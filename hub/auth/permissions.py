"""One table: action -> who may. The guard, the tests and the OpenAPI description all read it.

An action is the ``operation_id`` of its route. ``object_rule`` is what the rules of the job's life
add once the object is known (``lifecycle.decide``); it stands here so that one page says
everything.
"""

from enum import StrEnum

import msgspec

from hub.errors import Forbidden


class Role(StrEnum):
    """What an account is for; each has exactly one."""

    ADMIN = "admin"
    USER = "user"
    VIEWER = "viewer"


class Permission(msgspec.Struct, frozen=True):
    """Who may do an action.

    ``roles`` is empty for what needs no sign-in; ``needs_node`` asks for a Node-Id of the account.
    """

    roles: frozenset[Role]
    needs_node: bool = False
    object_rule: str = ""

    @property
    def sentence(self) -> str:
        """The rule in words, for the API's description."""
        if not self.roles:
            return "Anybody."
        who = "Any signed-in account" if self.roles == READERS else " or ".join(sorted(self.roles))
        node = " with a Node-Id of its own" if self.needs_node else ""
        return f"{who}{node}{'; ' + self.object_rule if self.object_rule else ''}."


READERS = frozenset(Role)
WORKERS = frozenset({Role.ADMIN, Role.USER})
ADMINS = frozenset({Role.ADMIN})

ANYBODY = Permission(frozenset())
READ = Permission(READERS)
WORK = Permission(WORKERS)
ADMIN = Permission(ADMINS)
NOBODY_CREATES = Permission(READERS, object_rule="always refused: nobody creates these this way")
HOLDER = Permission(WORKERS, needs_node=True, object_rule="the node must hold the job")
HOLDER_ONCE = Permission(
    WORKERS, needs_node=True, object_rule="the node must hold the job or have held it"
)
NODE = Permission(WORKERS, needs_node=True)
ADMIN_OR_SELF = Permission(READERS, object_rule="an administrator, or the account itself")
ADMIN_OR_NODE_ITSELF = Permission(WORKERS, object_rule="an administrator, or the node itself")
HOLDER_OR_ADMIN = Permission(
    WORKERS, object_rule="the node that holds the job, or an administrator without a Node-Id"
)
CREATOR_OR_ADMIN = Permission(WORKERS, object_rule="the job's creator or an administrator")

PERMISSIONS: dict[str, Permission] = {
    "health_live": ANYBODY,
    "health_ready": ANYBODY,
    "home": ANYBODY,
    "api_page": ANYBODY,
    "api_schema": ANYBODY,
    "api_style": ANYBODY,
    "api_live_schema": ANYBODY,
    "auth_obtain": ANYBODY,
    "auth_refresh": ANYBODY,
    "auth_verify": ANYBODY,
    "auth_session_start": ANYBODY,
    "auth_session_end": ANYBODY,
    "ui_page": ANYBODY,
    "ui_sign_in": ANYBODY,
    "ui_sign_out": ANYBODY,
    "tickets_create": READ,
    "tokens_list": READ,
    "tokens_create": READ,
    "tokens_revoke": ADMIN_OR_SELF,
    "users_list": ADMIN,
    "users_create": ADMIN,
    "users_retrieve": ADMIN_OR_SELF,
    "users_update": ADMIN,
    "users_partial_update": ADMIN,
    "users_destroy": ADMIN,
    "audit_list": ADMIN,
    "nodes_list": READ,
    "nodes_create": WORK,
    "nodes_retrieve": READ,
    "nodes_update": ADMIN_OR_NODE_ITSELF,
    "nodes_partial_update": ADMIN_OR_NODE_ITSELF,
    "nodes_destroy": ADMIN_OR_NODE_ITSELF,
    "nodes_ping": Permission(WORKERS, object_rule="an administrator, or any node"),
    "hardware_list": READ,
    "hardware_create": ADMIN,
    "hardware_retrieve": READ,
    "hardware_update": ADMIN,
    "hardware_partial_update": ADMIN,
    "hardware_destroy": ADMIN,
    "hardware_generation": READ,
    "cuda_list": READ,
    "cuda_create": ADMIN,
    "cuda_retrieve": READ,
    "cuda_update": ADMIN,
    "cuda_partial_update": ADMIN,
    "cuda_destroy": ADMIN,
    "frameworks_list": READ,
    "frameworks_create": ADMIN,
    "frameworks_retrieve": READ,
    "frameworks_update": ADMIN,
    "frameworks_partial_update": ADMIN,
    "frameworks_destroy": ADMIN,
    "domains_list": READ,
    "domains_create": NOBODY_CREATES,
    "domains_retrieve": READ,
    "domains_update": NOBODY_CREATES,
    "domains_partial_update": NOBODY_CREATES,
    "domains_destroy": NOBODY_CREATES,
    "licences_list": READ,
    "licences_create": ADMIN,
    "licences_retrieve": READ,
    "licences_update": ADMIN,
    "licences_partial_update": ADMIN,
    "licences_destroy": ADMIN,
    "licences_subdescriptors": ADMIN,
    "docker_list": READ,
    "docker_create": ADMIN,
    "docker_retrieve": READ,
    "docker_update": ADMIN,
    "docker_partial_update": ADMIN,
    "docker_destroy": ADMIN,
    "job_types_list": READ,
    "job_types_create": ADMIN,
    "job_types_create_seed": ADMIN,
    "job_types_retrieve": READ,
    "job_types_update": ADMIN,
    "job_types_partial_update": ADMIN,
    "job_types_destroy": ADMIN,
    "job_types_values": READ,
    "job_contracts_list": READ,
    "job_contracts_create": ADMIN,
    "job_contracts_create_seed": ADMIN,
    "job_contracts_retrieve": READ,
    "job_contracts_update": ADMIN,
    "job_contracts_partial_update": ADMIN,
    "job_contracts_destroy": ADMIN,
    "job_templates_list": READ,
    "job_templates_declare": ADMIN,
    "job_templates_create": NOBODY_CREATES,
    "job_templates_retrieve": READ,
    "job_templates_update": ADMIN,
    "job_templates_partial_update": ADMIN,
    "job_templates_destroy": ADMIN,
    "job_templates_reinstate": ADMIN,
    "job_templates_hard_delete": ADMIN,
    "job_templates_create_job": WORK,
    "job_templates_import": ADMIN,
    "job_templates_export": ADMIN,
    "job_templates_matching": READ,
    "job_templates_parameters": READ,
    "job_templates_types": READ,
    "job_templates_outputs": READ,
    "jobs_list": READ,
    "jobs_page": READ,
    "jobs_submit": WORK,
    "jobs_create": NOBODY_CREATES,
    "jobs_retrieve": READ,
    "jobs_update": ADMIN,
    "jobs_partial_update": ADMIN,
    "jobs_destroy": ADMIN,
    "jobs_hard_delete": ADMIN,
    "jobs_reinstate": ADMIN,
    "jobs_acquire": NODE,
    "jobs_release": HOLDER_ONCE,
    "jobs_start": HOLDER,
    "jobs_progress": HOLDER,
    "jobs_finish": HOLDER_ONCE,
    "jobs_reset": HOLDER,
    "jobs_abort": ADMIN,
    "jobs_cancel": CREATOR_OR_ADMIN,
    "jobs_requeue": ADMIN,
    "jobs_events": READ,
    "jobs_executions": READ,
    "jobs_quarantine": ADMIN,
    "jobs_quarantine_get": ADMIN,
    "jobs_watch": READ,
    "stream": READ,
    "outputs_add": HOLDER_OR_ADMIN,
    "outputs_get": READ,
    "outputs_head": READ,
    "outputs_info": READ,
    "outputs_delete": ADMIN,
    "job_outputs_list": READ,
    "job_outputs_retrieve": READ,
    "job_outputs_destroy": ADMIN,
    "job_outputs_hard_delete": ADMIN,
    "job_outputs_reinstate": ADMIN,
    "job_outputs_download": READ,
    "job_outputs_create": NOBODY_CREATES,
    "job_outputs_update": NOBODY_CREATES,
    "job_outputs_partial_update": NOBODY_CREATES,
    "events_list": READ,
    "events_stream": READ,
}

CHANGING_LOOKS = frozenset({"jobs_acquire", "nodes_ping"})
"""Actions that change something although their method is GET, as UFDL's clients want it."""


def permit(permission: Permission, role: Role) -> None:
    """Refuse accounts of a role that may not do this.

    Raises:
        Forbidden: ``role`` is none of those that may.
    """
    if role not in permission.roles:
        raise Forbidden(f"this takes {permission.sentence[0].lower()}{permission.sentence[1:]}")
