"""Jobs, what they produced, and the log of what happened to them."""

from piccolo.columns import BigInt, BigSerial, DoublePrecision, Integer, Text, Varchar
from piccolo.table import Table

from orm.columns import RowNumber


class HubMeta(Table, tablename="hub_meta"):
    """The clock row (pk 1): the newest event number of this epoch, and what the log still holds.

    Notifications of the events up to ``notified_gseq`` were printed, up to ``mailed_gseq`` mailed.
    """

    pk: RowNumber = RowNumber(primary_key=True)
    epoch = Varchar(length=32)
    gseq = BigInt()
    floor = BigInt()
    compact_floor = BigInt()
    audit_hash = Varchar(length=64)
    created_us = BigInt()
    swept_us = BigInt(default=0)
    notified_gseq = BigInt(default=0)
    mailed_gseq = BigInt(default=0)
    missed_us = BigInt(default=0)
    jumped_us = BigInt(default=0)


class Job(Table, tablename="jobs"):
    """The part of a job that changes; see ``orm.rows.JobRow``, whose fields are these columns."""

    pk: BigSerial = BigSerial(primary_key=True)
    template = BigInt()
    status = Varchar(length=10)
    priority = Integer()
    description = Text()
    labels = Text()
    creator = BigInt(null=True, default=None)
    parent = BigInt(null=True, default=None)
    root = BigInt(null=True, default=None)
    child = Text(null=True, default=None)
    children = Integer(default=0)
    seq = BigInt()
    tseq = BigInt()
    attempt = Integer()
    tries = Integer()
    max_tries = Integer()
    num_exes = Integer()
    node = BigInt(null=True, default=None)
    former_nodes = Text()
    lease_session = Varchar(length=32, null=True, default=None)
    lease_granted_us = BigInt(null=True, default=None)
    last_contact_us = BigInt(null=True, default=None)
    lease_expires_us = BigInt(null=True, default=None)
    suspect_us = BigInt(null=True, default=None)
    deadline_us = BigInt(null=True, default=None)
    lost_run = Text(null=True, default=None)
    silence_s = Integer()
    timeout_s = BigInt(null=True, default=None)
    slot_until_us = BigInt(null=True, default=None)
    progress = DoublePrecision()
    progress_data = Text(null=True, default=None)
    output_count = Integer()
    error = Text(null=True, default=None)
    error_name = Varchar(length=64, null=True, default=None)
    created_us = BigInt()
    queued_us = BigInt()
    start_us = BigInt(null=True, default=None)
    end_us = BigInt(null=True, default=None)
    canceled_us = BigInt(null=True, default=None)
    modified_us = BigInt()
    deleted_us = BigInt(null=True, default=None)


class JobSpec(Table, tablename="job_specs"):
    """What a job was created with; never changed, so not in the row that progress rewrites."""

    pk: RowNumber = RowNumber(primary_key=True)
    inputs = Text()
    parameters = Text()
    wires = Text(null=True, default=None)
    notifications = Text(null=True, default=None)


class Execution(Table, tablename="executions"):
    """One queueing of a job; ``number`` counts from 1 within the job."""

    pk: BigSerial = BigSerial(primary_key=True)
    job = BigInt()
    number = Integer()
    attempt = Integer()
    node = BigInt(null=True, default=None)
    queued_us = BigInt()
    granted_us = BigInt(null=True, default=None)
    start_us = BigInt(null=True, default=None)
    end_us = BigInt(null=True, default=None)
    outcome = Varchar(length=10, null=True, default=None)
    error = Text(null=True, default=None)
    error_name = Varchar(length=64, null=True, default=None)


class Output(Table, tablename="outputs"):
    """One named, typed result of one attempt; ``sha256`` names its bytes in the store."""

    pk: BigSerial = BigSerial(primary_key=True)
    job = BigInt()
    attempt = Integer()
    name = Varchar(length=200)
    type = Varchar(length=1024)
    sha256 = Varchar(length=64)
    size = BigInt()
    creator = BigInt(null=True, default=None)
    created_us = BigInt()
    deleted_us = BigInt(null=True, default=None)


class Quarantined(Table, tablename="quarantine"):
    """Bytes that a former holder brought too late; ``sha256`` names them in the store."""

    pk: BigSerial = BigSerial(primary_key=True)
    job = BigInt()
    node = BigInt()
    account = BigInt()
    name = Varchar(length=200)
    type = Varchar(length=1024)
    sha256 = Varchar(length=64)
    size = BigInt()
    time_us = BigInt()


class Event(Table, tablename="events"):
    """One numbered fact about a job: ``gseq`` is dense over the log, ``seq`` dense in the job."""

    gseq: RowNumber = RowNumber(primary_key=True)
    job = BigInt()
    seq = BigInt()
    tseq = BigInt()
    kind = Varchar(length=1)
    type = Varchar(length=16)
    time_us = BigInt()
    from_status = Varchar(length=10, null=True, default=None)
    to_status = Varchar(length=10, null=True, default=None)
    attempt = Integer()
    node = BigInt(null=True, default=None)
    progress = DoublePrecision()
    n = Integer()
    data = Text()
