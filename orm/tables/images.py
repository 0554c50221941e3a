"""Docker images, and what they refer to."""

from piccolo.columns import BigInt, BigSerial, Integer, Text, Varchar
from piccolo.table import Table


class CudaVersion(Table, tablename="cuda_versions"):
    """A version of CUDA, and the oldest driver with which it runs."""

    pk: BigSerial = BigSerial(primary_key=True)
    version = Varchar(length=8)
    full_version = Varchar(length=16)
    min_driver_version = Varchar(length=16)


class Framework(Table, tablename="frameworks"):
    """A version of a framework that models are made with."""

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=32)
    version = Varchar(length=32)


class Domain(Table, tablename="domains"):
    """A kind of data: two letters, and what they stand for."""

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=2)
    description = Varchar(length=32)


class Licence(Table, tablename="licences"):
    """Terms of use; all but name and address are JSON texts, lists of names."""

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=100)
    url = Varchar(length=200)
    permissions = Text(default="[]")
    conditions = Text(default="[]")
    limitations = Text(default="[]")
    domains = Text(default="[]")


class DockerImage(Table, tablename="docker_images"):
    """A docker image; ``tasks`` is a JSON text, and no generation means that it needs no GPU."""

    pk: BigSerial = BigSerial(primary_key=True)
    name = Varchar(length=64)
    version = Varchar(length=32)
    url = Varchar(length=200)
    registry_url = Varchar(length=200)
    registry_username = Varchar(length=64, null=True, default=None)
    registry_password = Varchar(length=64, null=True, default=None)
    cuda_version = BigInt()
    framework = BigInt()
    domain = BigInt()
    tasks = Text()
    min_hardware_generation = BigInt(null=True, default=None)
    cpu = Integer()
    licence = BigInt()
