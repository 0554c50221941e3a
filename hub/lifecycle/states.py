"""The life of a job in one table.

``TRANSITIONS`` holds every legal step; what is not in it is refused. The words are those of the
UFDL API where it has one, for they are also the transition names that watchers see.
"""

from enum import StrEnum

from hub.wire.plain_messages import ShownTransition


class Status(StrEnum):
    """Where a job stands. Stored as it is, never inferred from other columns."""

    PENDING = "PENDING"  # waits for other jobs
    BLOCKED = "BLOCKED"  # a job it waits for failed or was canceled
    QUEUED = "QUEUED"  # any node may take it
    ACQUIRED = "ACQUIRED"  # a node holds it
    RUNNING = "RUNNING"  # that node works on it
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"  # final unless it is reset, requeued or acquired again
    CANCELED = "CANCELED"


class Action(StrEnum):
    """What can be asked for; the value is the name of the transition on the wire."""

    CREATE = "create"
    ACQUIRE = "acquire"
    RELEASE = "release"
    START = "start"
    PROGRESS = "progress"
    FINISH = "finish"
    ERROR = "error"
    RESET = "reset"
    ABORT = "abort"
    CANCEL = "cancel"
    REQUEUE = "requeue"
    SUSPECT = "suspect"
    REVIVED = "revived"
    LOST = "lost"
    TIMEOUT = "timeout"
    QUEUE = "queue"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    DESTROY = "destroy"
    REINSTATE = "reinstate"


TRANSITIONS: dict[tuple[Status, Action], Status] = {
    (Status.QUEUED, Action.ACQUIRE): Status.ACQUIRED,
    (Status.FAILED, Action.ACQUIRE): Status.FAILED,
    (Status.ACQUIRED, Action.RELEASE): Status.QUEUED,
    (Status.FAILED, Action.RELEASE): Status.FAILED,
    (Status.ACQUIRED, Action.START): Status.RUNNING,
    (Status.RUNNING, Action.PROGRESS): Status.RUNNING,
    (Status.RUNNING, Action.FINISH): Status.COMPLETED,
    (Status.RUNNING, Action.ERROR): Status.FAILED,
    (Status.FAILED, Action.RESET): Status.ACQUIRED,
    (Status.QUEUED, Action.ABORT): Status.QUEUED,  # a lost run may not come back any more
    (Status.ACQUIRED, Action.ABORT): Status.QUEUED,
    (Status.RUNNING, Action.ABORT): Status.QUEUED,
    (Status.FAILED, Action.ABORT): Status.QUEUED,
    (Status.PENDING, Action.CANCEL): Status.CANCELED,
    (Status.BLOCKED, Action.CANCEL): Status.CANCELED,
    (Status.QUEUED, Action.CANCEL): Status.CANCELED,
    (Status.ACQUIRED, Action.CANCEL): Status.CANCELED,
    (Status.RUNNING, Action.CANCEL): Status.CANCELED,
    (Status.FAILED, Action.CANCEL): Status.CANCELED,
    (Status.FAILED, Action.REQUEUE): Status.QUEUED,
    (Status.CANCELED, Action.REQUEUE): Status.QUEUED,
    (Status.ACQUIRED, Action.SUSPECT): Status.ACQUIRED,
    (Status.RUNNING, Action.SUSPECT): Status.RUNNING,
    (Status.ACQUIRED, Action.REVIVED): Status.ACQUIRED,
    (Status.RUNNING, Action.REVIVED): Status.RUNNING,
    (Status.ACQUIRED, Action.LOST): Status.QUEUED,
    (Status.RUNNING, Action.LOST): Status.QUEUED,
    (Status.QUEUED, Action.REVIVED): Status.RUNNING,
    (Status.RUNNING, Action.TIMEOUT): Status.FAILED,
    (Status.PENDING, Action.QUEUE): Status.QUEUED,
    (Status.PENDING, Action.BLOCKED): Status.BLOCKED,
    (Status.BLOCKED, Action.UNBLOCKED): Status.PENDING,
}

META_TRANSITIONS: dict[tuple[Status, Action], Status] = {
    (Status.QUEUED, Action.START): Status.RUNNING,
    (Status.RUNNING, Action.PROGRESS): Status.RUNNING,
    (Status.RUNNING, Action.FINISH): Status.COMPLETED,
    (Status.QUEUED, Action.ERROR): Status.FAILED,
    (Status.RUNNING, Action.ERROR): Status.FAILED,
    (Status.FAILED, Action.RESET): Status.RUNNING,
}
"""What the children of a meta-job do to it, beside what its place in a graph of its own does."""

WITHOUT_TRIES: dict[tuple[Status, Action], Status] = {
    (Status.ACQUIRED, Action.LOST): Status.FAILED,
    (Status.RUNNING, Action.LOST): Status.FAILED,
}
"""Where a loss leads instead when the job has had all its tries."""

BY_HUB = frozenset(
    {Action.SUSPECT, Action.REVIVED, Action.LOST, Action.TIMEOUT}
    | {Action.QUEUE, Action.BLOCKED, Action.UNBLOCKED}
)
"""What nobody asks for: it follows from what a node or another job does, or does not."""

SHOWN_AS: dict[str, ShownTransition] = {
    "acquire": "acquire",
    "release": "release",
    "start": "start",
    "progress": "progress",
    "finish": "finish",
    "error": "error",
    "reset": "reset",
    "abort": "abort",
    "cancel": "cancel",
    "lost": "abort",
    "requeue": "abort",
    "timeout": "error",
}
"""The nine transitions that UFDL knows, and which of ours look like them; it sees no others."""

FINAL = frozenset({Status.COMPLETED, Status.CANCELED})
WAITING = frozenset({Status.PENDING, Status.BLOCKED})
HELD = frozenset({Status.ACQUIRED, Status.RUNNING})


def next_status(status: str, action: Action) -> Status | None:
    """Return where ``action`` leads from ``status``, or ``None`` when it is not legal there."""
    return TRANSITIONS.get((Status(status), action))


def legal_actions(status: str) -> list[Action]:
    """Return what may be asked of a job in ``status``, in the order of the table."""
    return [action for (before, action) in TRANSITIONS if before == status and action not in BY_HUB]
