"""Kinds of values and kinds of work."""

from piccolo.columns import BigInt, BigSerial, Integer, Text, Varchar
from piccolo.table import Table


class JobType(Table, tablename="job_types"):
    """A kind of value that an input, parameter or output can have."""

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=64)
    pkg = Varchar(length=64)
    cls = Varchar(length=256)


class JobContract(Table, tablename="job_contracts"):
    """A kind of work that executors are written for: what it takes and gives."""

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=64)
    pkg = Varchar(length=64)
    cls = Varchar(length=256)


class JobTemplate(Table, tablename="job_templates"):
    """A kind of work; a change is a new version, a new row: only ``deleted_us`` ever changes.

    ``inputs``, ``parameters``, ``outputs``, ``labels`` and ``requirements`` are JSON texts; so is
    ``graph``, which only a meta-template has.
    """

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=200)
    version = Integer()
    description = Text(default="")
    scope = Varchar(length=16, default="")
    domain = Varchar(length=2, null=True, default=None)
    licence = BigInt(null=True, default=None)
    contract = Varchar(length=256, default="")
    creator = BigInt(null=True, default=None)
    created_us = BigInt()
    deleted_us = BigInt(null=True, default=None)
    executor_class = Varchar(length=128, null=True, default=None)
    required_packages = Text(default="")
    inputs = Text()
    parameters = Text()
    outputs = Text()
    labels = Text()
    requirements = Text()
    timeout_s = BigInt(null=True, default=None)
    silence_s = Integer(null=True, default=None)
    max_tries = Integer()
    priority = Integer()
    graph = Text(null=True, default=None)
