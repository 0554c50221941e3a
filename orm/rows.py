"""What a stored row looks like to everybody else: plain values, no Piccolo, no behaviour.

Times are microseconds since 1970, UTC. JSON columns are text.
"""

import msgspec


class JobRow(msgspec.Struct, frozen=True, gc=False):
    """The part of a job that changes; the fields are columns of ``jobs``.

    ``root`` is the topmost job of its graph, itself for that one; ``child`` its name in ``parent``;
    ``children`` counts the members of a meta-job, 0 for work. ``lease_expires_us`` is when the hub
    must look at a held job again, ``lost_run`` (JSON) what a lost holder would get back.
    """

    pk: int
    template: int
    status: str
    priority: int
    description: str
    labels: str
    creator: int | None
    parent: int | None
    root: int | None
    child: str | None
    children: int
    seq: int
    tseq: int
    attempt: int
    tries: int
    max_tries: int
    num_exes: int
    node: int | None
    former_nodes: str
    lease_session: str | None
    lease_granted_us: int | None
    last_contact_us: int | None
    lease_expires_us: int | None
    suspect_us: int | None
    deadline_us: int | None
    lost_run: str | None
    silence_s: int
    timeout_s: int | None
    slot_until_us: int | None
    progress: float
    progress_data: str | None
    output_count: int
    error: str | None
    error_name: str | None
    created_us: int
    queued_us: int
    start_us: int | None
    end_us: int | None
    canceled_us: int | None
    modified_us: int
    deleted_us: int | None


def last_holder(row: JobRow) -> int | None:
    """Return the node that held a job last before the present one, ``None`` when none did."""
    last = row.former_nodes.rpartition(",")[2]
    return int(last) if last else None


class SpecRow(msgspec.Struct, frozen=True, gc=False):
    """What a job was created with, as JSON texts: it never changes once the job is queued.

    ``wires`` tells which outputs of its siblings a member of a graph waits for, ``notifications``
    what to tell; rows that are read for an answer leave it out, in stored ones ``None`` stands for
    the defaults.
    """

    pk: int
    inputs: str
    parameters: str
    wires: str | None = None
    notifications: str | None = None


class ExecutionRow(msgspec.Struct, frozen=True, gc=False):
    """One queueing of a job and what came of it; the last one of an unfinished job is open.

    ``attempt`` is its last grant, 0 before the first; ``outcome`` is ``None`` while it is open.
    """

    job: int
    number: int
    attempt: int
    node: int | None
    queued_us: int
    granted_us: int | None
    start_us: int | None
    end_us: int | None
    outcome: str | None
    error: str | None
    error_name: str | None


class OutputRow(msgspec.Struct, frozen=True, gc=False):
    """One named, typed result of an attempt."""

    pk: int
    job: int
    attempt: int
    name: str
    type: str
    sha256: str
    size: int
    creator: int | None
    created_us: int
    deleted_us: int | None


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """One numbered fact."""

    gseq: int
    job: int
    seq: int
    tseq: int
    kind: str
    type: str
    time_us: int
    from_status: str | None
    to_status: str | None
    attempt: int
    node: int | None
    progress: float
    n: int
    data: str


class AuditEntry(msgspec.Struct, frozen=True):
    """A privileged act before it is written; ``before`` and ``after`` hold no secrets."""

    actor: int | None
    session: str | None
    address: str | None
    action: str
    object_type: str
    object_pk: int | None
    before: str | None = None
    after: str | None = None
