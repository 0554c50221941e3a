"""Why a command is refused, one class a reason."""

from hub.errors import Conflict, Forbidden
from hub.lifecycle.states import Action, legal_actions


class IllegalTransition(Conflict):
    """The job's state does not allow this action."""

    code = "illegal_transition"

    def __init__(self, job: int, status: str, action: Action | str) -> None:
        legal = ", ".join(legal_actions(status)) or "nothing"
        super().__init__(f"job {job} is {status}, which does not allow {action}; legal: {legal}")


class JobHeld(Conflict):
    """Another node holds this job."""

    code = "job_held"


class NodeBusy(Conflict):
    """This node still runs another job."""

    code = "node_busy"


class JobDeleted(Conflict):
    """This job is deleted; reinstate it first."""

    code = "job_deleted"


class NotYours(Forbidden):
    """Only the node that holds this job may do that."""

    code = "not_the_holder"


class OutputExists(Conflict):
    """This attempt already has an output of that name and type with other bytes."""

    code = "output_exists"


class OutputsMissing(Conflict):
    """Outputs that finish names have not been uploaded."""

    code = "outputs_missing"


class TooManyOutputs(Conflict):
    """This attempt has as many outputs as a job may have."""

    code = "too_many_outputs"


class JobTaken(Conflict):
    """A node works on this job, or other jobs belong to it."""

    code = "job_in_use"


class RunOver(Conflict):
    """The job began another run while these bytes came."""

    code = "run_over"
