"""Executions of a job on the wire. Times are ISO 8601, UTC, with microseconds."""

import msgspec


class ExecutionOut(msgspec.Struct, frozen=True):
    """One queueing of a job and what came of it.

    ``attempt`` is its last grant, 0 before the first. ``outcome`` is ``completed``, ``failed``,
    ``lost``, ``canceled`` or ``aborted``, null while the execution is open; ``category`` says whose
    fault a failure is: ``SYSTEM``, ``DATA`` or ``ALGORITHM``.
    """

    number: int
    attempt: int
    node: int | None
    outcome: str | None
    queued_time: str
    acquired_time: str | None
    start_time: str | None
    end_time: str | None
    error: str | None
    error_name: str | None
    category: str | None


class ExecutionPage(msgspec.Struct, frozen=True):
    """A page of executions; ``next`` is the cursor of the page after it, null on the last one."""

    items: list[ExecutionOut]
    next: str | None
