"""Workers and the graphics hardware generations they may have."""

from piccolo.columns import BigInt, BigSerial, DoublePrecision, Integer, Varchar
from piccolo.table import Table


class Hardware(Table, tablename="hardware"):
    """A hardware generation and its compute capabilities: minimum included, maximum not."""

    pk: BigSerial = BigSerial(primary_key=True)
    generation = Varchar(length=32)
    min_compute_capability = DoublePrecision()
    max_compute_capability = DoublePrecision()


class Node(Table, tablename="nodes"):
    """A worker. It belongs to the account that registered it; (ip, index) is unique."""

    pk: BigSerial = BigSerial(primary_key=True)
    owner = BigInt()
    ip = Varchar(length=39)
    index = Integer()
    driver_version = Varchar(length=16, null=True, default=None)
    hardware_generation = BigInt(null=True, default=None)
    gpu_mem = BigInt(null=True, default=None)
    cpu_mem = BigInt()
    created_us = BigInt()
    last_seen_us = BigInt(null=True, default=None)
