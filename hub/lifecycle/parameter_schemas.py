"""Parameters for a form: which values each type takes, as JSON schemas."""

from collections.abc import Iterator, Mapping

from msgspec import UNSET, UnsetType

from hub.lifecycle.interface import ParameterSpec
from hub.lifecycle.type_schema import Known, lookups_of, schema_of
from hub.lifecycle.types import Named, parse_stored
from hub.wire.templates import DefaultOut, ParameterOut


def lookups(specs: Mapping[str, ParameterSpec]) -> list[Named]:
    """Return the types whose values are known only to the database, each once."""
    texts = (text for spec in specs.values() for text in _texts(spec))
    return list(dict.fromkeys(found for t in texts for found in lookups_of(parse_stored(t))))


def _texts(spec: ParameterSpec) -> Iterator[str]:
    yield from spec.types
    if not isinstance(spec.default_type, UnsetType):
        yield spec.default_type


def with_schemas(specs: Mapping[str, ParameterSpec], known: Known) -> dict[str, ParameterOut]:
    """Return parameters with a schema for each of their types.

    Args:
        specs: The parameters of a template.
        known: The values that there are now of each type that ``lookups`` names.
    """
    return {
        name: ParameterOut(
            types={text: schema_of(parse_stored(text), known) for text in spec.types},
            help=spec.help,
            default=_default(spec, known),
        )
        for name, spec in specs.items()
    }


def _default(spec: ParameterSpec, known: Known) -> DefaultOut | UnsetType:
    if isinstance(spec.default_type, UnsetType):
        return UNSET
    return DefaultOut(
        value=spec.default,
        type=spec.default_type,
        schema=schema_of(parse_stored(spec.default_type), known),
        const=spec.const is True,
    )
