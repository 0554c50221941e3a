"""What a stored row looks like to everybody else: plain values, no Piccolo, no behaviour.

Times are microseconds since 1970, UTC. JSON columns are text.
"""

import msgspec


class JobRow(msgspec.Struct, frozen=True, gc=False):
    """The part of a job that changes; the fields are the columns of ``jobs``, in order."""

    pk: int
    template: int
    status: str
    priority: int
    description: str
    labels: str
    creator: int | None
    parent: int | None
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
    slot_until_us: int | None
    progress: float
    progress_data: str | None
    output_count: int
    error: str | None
    created_us: int
    queued_us: int
    start_us: int | None
    end_us: int | None
    canceled_us: int | None
    modified_us: int
    deleted_us: int | None


class SpecRow(msgspec.Struct, frozen=True, gc=False):
    """The part of a job that never changes: JSON texts of what it was created with."""

    pk: int
    inputs: str
    parameters: str


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
    """One numbered fact; ``description`` is the job's present one, for the plain socket."""

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
    description: str = ""


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
