"""Why a command is refused, one class a reason."""

from hub.errors import Conflict, Forbidden
from hub.lifecycle.states import Action, legal_actions
from orm.rows import JobRow


def _standing(row: JobRow) -> str:
    """Say where a job stands and what is legal there: every conflict about a job tells that."""
    holder = "" if row.node is None else f" and held by node {row.node}"
    legal = ", ".join(legal_actions(row.status)) or "nothing"
    return f"job {row.pk} is {row.status}{holder}; legal: {legal}"


class IllegalTransition(Conflict):
    """The job's state does not allow this action."""

    code = "illegal_transition"

    def __init__(self, row: JobRow, action: Action | str) -> None:
        super().__init__(f"{action} is not allowed: {_standing(row)}")


class JobHeld(Conflict):
    """Another node holds this job."""

    code = "job_held"

    def __init__(self, row: JobRow) -> None:
        super().__init__(f"acquire is not allowed: {_standing(row)}")


class NodeBusy(Conflict):
    """This node still runs another job."""

    code = "node_busy"

    def __init__(self, row: JobRow, other: JobRow) -> None:
        super().__init__(
            f"start is not allowed: node {row.node} still runs job {other.pk}; {_standing(row)}"
        )


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

    def __init__(self, row: JobRow, reason: str) -> None:
        super().__init__(f"{reason}; {_standing(row)}")


class MetaJob(Conflict):
    """This is a meta-job: its children do the work, ask for them."""

    code = "meta_job"


class GraphMember(Conflict):
    """This job is part of a graph, which decides that."""

    code = "graph_member"


class RunOver(Conflict):
    """The job began another run while these bytes came."""

    code = "run_over"
