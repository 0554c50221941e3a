"""Kinds of values: their names, and where a worker finds the class of each."""

import msgspec

from orm.engine import Engine
from orm.queries.accounts import Source
from orm.queries.shelf import KeptRow, Shelf
from orm.tables import JobType

PKG = "ufdl.jobtypes"

# Module -> the classes there that have the name of their type; UFDL's workers import them all.
_CLASSES = {
    "base": (
        "UFDLType",
        "UFDLJSONType",
        "FiniteJSONType",
        "ServerResidentType",
        "NamedServerType",
        "ValueType",
    ),
    "standard.container": ("Array", "Map"),
    "standard.server": (
        "CUDAVersion",
        "Dataset",
        "DockerImage",
        "Domain",
        "Framework",
        "Hardware",
        "PretrainedModel",
    ),
    "standard.util": ("BLOB", "Compressed", "JSON", "Nothing"),
    "standard": ("JobOutput", "Model", "Name", "PK"),
}
_SCALARS = {"str": "String", "int": "Integer", "float": "Float", "bool": "Boolean"}

BUILT_IN = {
    **{name: f"{PKG}.{module}.{name}" for module, names in _CLASSES.items() for name in names},
    **{name: f"{PKG}.base.{cls}" for name, cls in _SCALARS.items()},
}
"""Name of a type -> its class: every hub has these, and they stay."""


class JobTypeRow(KeptRow, frozen=True):
    """A job type as it is stored; name and class are unique."""

    name: str
    pkg: str
    cls: str


JOB_TYPES = Shelf(JobType, JobTypeRow)


class TypeTexts(msgspec.Struct, frozen=True):
    """Where a template names types: JSON texts of its interface, and its contract."""

    template: int
    inputs: str
    parameters: str
    outputs: str
    contract: str


_MENTIONS = (
    "SELECT pk, inputs, parameters, outputs, contract FROM job_templates "
    "WHERE inputs || ' ' || parameters || ' ' || outputs || ' ' || contract LIKE ?"
)


async def mentions(source: Source, name: str) -> list[TypeTexts]:
    """Return the texts of templates, deleted ones too, in which ``name`` occurs at all."""
    return [TypeTexts(*row) for row in await source.fetch(_MENTIONS, (f"%{name}%",))]


async def others_with(engine: Engine, name: str, cls: str, pk: int | None) -> list[JobTypeRow]:
    """Return the types other than ``pk`` that have this name or this class."""
    sql = "SELECT pk, name, pkg, cls FROM job_types WHERE (name = ? OR cls = ?) AND pk <> ?"
    return [JobTypeRow(*row) for row in await engine.fetch(sql, (name, cls, pk or 0))]


async def ensure_built_in(engine: Engine) -> None:
    """Store the built-in types that are not there; what an administrator changed stays changed."""
    there = {name for (name,) in await engine.fetch("SELECT name FROM job_types")}
    missing = [(name, cls) for name, cls in BUILT_IN.items() if name not in there]
    if not missing:
        return
    async with engine.transaction() as transaction:
        for name, cls in missing:
            await transaction.fetch(
                "INSERT INTO job_types (name, pkg, cls) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (name, PKG, cls),
            )
