"""Kinds of values and contracts: their names, and where a worker finds the class of each."""

from collections.abc import Collection, Mapping

import msgspec
from piccolo.table import Table

from orm.engine import Engine
from orm.errors import StillReferenced
from orm.queries.accounts import Source, Transaction
from orm.queries.batch import marks
from orm.queries.shelf import KeptRow, Shelf
from orm.tables import JobContract, JobType


class NamedClassRow(KeptRow, frozen=True):
    """A name and its class; both are unique in their table."""

    name: str
    pkg: str
    cls: str


class NamedClasses(Shelf[NamedClassRow]):
    """The rows of one table of names.

    Args:
        table: Where they are stored.
        pkg: The package of the built-in ones.
        built_in: Name -> class: every hub has these, and they stay.
    """

    def __init__(self, table: type[Table], pkg: str, built_in: Mapping[str, str]) -> None:
        super().__init__(table, NamedClassRow)
        self.pkg = pkg
        self.built_in = built_in
        self._name = table._meta.tablename

    async def others_with(
        self, engine: Engine, name: str, cls: str, pk: int | None
    ) -> list[NamedClassRow]:
        """Return the rows other than ``pk`` that have this name or this class."""
        sql = f"SELECT pk, name, pkg, cls FROM {self._name} WHERE (name = ? OR cls = ?) AND pk <> ?"
        return [NamedClassRow(*row) for row in await engine.fetch(sql, (name, cls, pk or 0))]

    async def registered(self, source: Source) -> frozenset[str]:
        """Return the names that users registered."""
        names = {name for (name,) in await source.fetch(f"SELECT name FROM {self._name}")}
        return frozenset(names - self.built_in.keys())

    async def hold(self, transaction: Transaction, names: Collection[str]) -> None:
        """Keep rows from losing these names, and from going, until the transaction ends.

        Raises:
            StillReferenced: a name is not there any more.
        """
        if not names:
            return
        # In one order, so that two who hold the same names never wait for each other.
        sql = f"SELECT name FROM {self._name} WHERE name IN ({marks(len(names))}) ORDER BY name"
        there = await transaction.fetch(sql + transaction.row_lock, tuple(names))
        if len(there) < len(names):
            raise StillReferenced(f"a name in {self._name} is not there any more")

    async def ensure_built_in(self, engine: Engine) -> None:
        """Store the built-in rows that are not there; what was changed stays changed."""
        there = {name for (name,) in await engine.fetch(f"SELECT name FROM {self._name}")}
        missing = [(name, cls) for name, cls in self.built_in.items() if name not in there]
        if not missing:
            return
        sql = f"INSERT INTO {self._name} (name, pkg, cls) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        async with engine.transaction() as transaction:
            for name, cls in missing:
                await transaction.fetch(sql, (name, self.pkg, cls))


# Kinds of values

# Module -> the classes there that have the name of their type; UFDL's workers import them all.
_TYPES = {
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

JOB_TYPES = NamedClasses(
    JobType,
    "ufdl.jobtypes",
    {
        **{
            name: f"ufdl.jobtypes.{module}.{name}"
            for module, names in _TYPES.items()
            for name in names
        },
        **{name: f"ufdl.jobtypes.base.{cls}" for name, cls in _SCALARS.items()},
    },
)

# Contracts

JOB_CONTRACTS = NamedClasses(
    JobContract,
    "ufdl.jobcontracts",
    {name: f"ufdl.jobcontracts.standard.{name}" for name in ("Train", "Predict", "Export")},
)

ALL = (JOB_TYPES, JOB_CONTRACTS)


# Where they are named


class TypeTexts(msgspec.Struct, frozen=True):
    """Where a template names types: JSON texts of its interface and graph, and its contract."""

    template: int
    inputs: str
    parameters: str
    outputs: str
    contract: str
    graph: str | None = None


_MENTIONS = (
    "SELECT pk, inputs, parameters, outputs, contract, graph FROM job_templates WHERE inputs || ' '"
    " || parameters || ' ' || outputs || ' ' || contract || ' ' || coalesce(graph, '') LIKE ?"
)


async def mentions(source: Source, name: str) -> list[TypeTexts]:
    """Return the texts of templates, deleted ones too, in which ``name`` occurs at all."""
    return [TypeTexts(*row) for row in await source.fetch(_MENTIONS, (f"%{name}%",))]
