"""Names that templates rely on: of types and of contracts. A worker imports the class of each."""

from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from hub.errors import Conflict
from hub.lifecycle.contracts import contract_name
from hub.lifecycle.template_graphs import override_types
from hub.lifecycle.types import names_in
from orm.queries.named_classes import JOB_CONTRACTS, JOB_TYPES, NamedClassRow, TypeTexts
from orm.queries.templates import TemplateRow


class JobTypeInUse(Conflict):
    """A job template names this job type."""

    code = "job_type_in_use"


class JobContractInUse(Conflict):
    """A job template is of this job contract."""

    code = "job_contract_in_use"


class BuiltIn(Conflict):
    """This one is built in: it keeps its name, and stays."""

    code = "built_in"


class Naming(msgspec.Struct, frozen=True):
    """How names of one kind are spoken of, and who relies on one.

    ``is_named_in`` tells whether a template does; ``in_use`` is raised then.
    """

    noun: str
    built_in: Collection[str]
    is_named_in: Callable[[TypeTexts, str], bool]
    in_use: type[Conflict]

    def check_free(self, row: NamedClassRow, mentions: Iterable[TypeTexts]) -> None:
        """Refuse to take away a name that others rely on.

        Args:
            row: What has the name that would go.
            mentions: The texts of at least all templates in which the name occurs.

        Raises:
            BuiltIn: every hub has it.
            Conflict: the kind's ``in_use``: a template names it.
        """
        if row.name in self.built_in:
            raise BuiltIn(f"{self.noun} {row.name!r} is built in: it keeps its name, and stays")
        for texts in mentions:
            if self.is_named_in(texts, row.name):
                raise self.in_use(f"job template {texts.template} names {row.name!r}")


def names_type(texts: TypeTexts, name: str) -> bool:
    """Whether a template's interface or contract has the type as a whole word, not in quotes."""
    return any(name in names_in(text) for text in _type_texts(texts))


def is_of_contract(texts: TypeTexts, name: str) -> bool:
    """Whether a template's contract is of this name, whatever its arguments."""
    return contract_name(texts.contract) == name


def types_of(row: TemplateRow, registered: frozenset[str]) -> frozenset[str]:
    """Return which of the names that users registered are those of types in a template's texts."""
    if not registered:
        return registered
    texts = TypeTexts(row.pk, row.inputs, row.parameters, row.outputs, row.contract, row.graph)
    return registered & frozenset().union(*map(names_in, _type_texts(texts)))


def contracts_of(row: TemplateRow) -> frozenset[str]:
    """Return the name of a template's contract if users registered it, else nothing."""
    return frozenset({contract_name(row.contract)} - {"", *JOB_CONTRACTS.built_in})


def _type_texts(texts: TypeTexts) -> Iterator[str]:
    yield texts.contract
    yield from override_types(texts.graph)
    for section in (texts.inputs, texts.parameters, texts.outputs):
        for spec in msgspec.json.decode(section).values():
            yield from spec.get("types", ())
            yield from (spec[key] for key in ("type", "default_type") if key in spec)


TYPE_NAMING = Naming("job type", JOB_TYPES.built_in, names_type, JobTypeInUse)
CONTRACT_NAMING = Naming("job contract", JOB_CONTRACTS.built_in, is_of_contract, JobContractInUse)
