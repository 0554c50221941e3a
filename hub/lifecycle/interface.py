"""A template's interface: what its jobs take and give, and whether given values fit it."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hub.errors import InvalidInput, ValuesRefused
from hub.lifecycle.types import (
    NONE_REGISTERED,
    canonical,
    is_subtype,
    legible,
    parse,
    parse_stored,
)
from hub.lifecycle.values import accepts


class InputSpec(msgspec.Struct, frozen=True):
    """One input: a value of a sub-type of any of ``types``, canonical texts in order of choice."""

    types: list[str]
    help: str = ""


class ParameterSpec(msgspec.Struct, frozen=True):
    """One parameter; with a default it may be left out, and as a constant it must be.

    ``default_type`` and ``const`` are set exactly when ``default`` is (which may be null).
    """

    types: list[str]
    help: str = ""
    default: Any = UNSET
    default_type: str | UnsetType = UNSET
    const: bool | UnsetType = UNSET


class OutputSpec(msgspec.Struct, frozen=True):
    """One output that a finished job has."""

    type: str
    help: str = ""


class Interface(msgspec.Struct, frozen=True):
    """All that a template says about the values of its jobs, by name."""

    inputs: dict[str, InputSpec] = msgspec.field(default_factory=dict)
    parameters: dict[str, ParameterSpec] = msgspec.field(default_factory=dict)
    outputs: dict[str, OutputSpec] = msgspec.field(default_factory=dict)


class TypedValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value, any JSON, and the text of its type."""

    value: Any
    type: str


class Bound(msgspec.Struct, frozen=True):
    """The values that a job keeps, by name, their types in canonical text."""

    inputs: dict[str, TypedValue]
    parameters: dict[str, TypedValue]


# Binding a job's values


def bind(
    interface: Interface,
    input_values: Mapping[str, TypedValue],
    parameter_values: Mapping[str, TypedValue] | None = None,
    registered: frozenset[str] = NONE_REGISTERED,
) -> Bound:
    """Check typed values against an interface; inputs that it does not name are dropped.

    The order of the checks is that of UFDL's create-job. Defaults are not added to the result.

    Args:
        interface: What the template says.
        input_values: The inputs by name.
        parameter_values: The parameters by name.
        registered: The names of the types that users registered.

    Raises:
        UnknownType: The type of any value, also of a dropped one, names a type that is not known.
        BadType: The type of any value, also of a dropped one, cannot be read.
        InvalidInput: A parameter without a default is missing.
        ValuesRefused: An input is missing, a parameter is constant or unknown, a type is not
            allowed, or a value does not fit its type.
    """
    parameters = parameter_values or {}
    for given in chain(input_values.values(), parameters.values()):
        parse(given.type, registered)
    return _bind(interface, input_values, parameters, partial(typed, registered=registered))


def bind_plain(
    interface: Interface, inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Bound:
    """Check bare JSON values against an interface; each gets the first declared type that takes it.

    Raises:
        InvalidInput: A parameter without a default is missing.
        ValuesRefused: An input is missing, an input or parameter is unknown, a parameter is
            constant, or a value fits none of the types.
    """
    _refuse_unknown("inputs", inputs, interface.inputs)
    return _bind(interface, inputs, parameters, untyped)


_Given = TypeVar("_Given")
_Settle = Callable[[str, list[str], _Given], TypedValue]


def _bind(
    interface: Interface,
    inputs: Mapping[str, _Given],
    parameters: Mapping[str, _Given],
    settle: _Settle[_Given],
) -> Bound:
    return Bound(
        inputs=_bound_inputs(interface.inputs, inputs, settle),
        parameters=_bound_parameters(interface.parameters, parameters, settle),
    )


def _bound_inputs(
    specs: dict[str, InputSpec], given: Mapping[str, _Given], settle: _Settle[_Given]
) -> dict[str, TypedValue]:
    bound = {}
    for name, spec in specs.items():
        if name not in given:
            raise ValuesRefused(f"No input value provided for input '{name}'")
        bound[name] = settle(name, spec.types, given[name])
    return bound


def _bound_parameters(
    specs: dict[str, ParameterSpec], given: Mapping[str, _Given], settle: _Settle[_Given]
) -> dict[str, TypedValue]:
    for name, spec in specs.items():
        if name not in given and spec.default is UNSET:
            raise InvalidInput(f"Required parameter '{name}' is missing")
    present = {name: spec for name, spec in specs.items() if name in given}
    for name, spec in present.items():
        if spec.const is True:
            raise ValuesRefused(f"{name} is const")
    bound = {name: settle(name, spec.types, given[name]) for name, spec in present.items()}
    _refuse_unknown("parameters", given, specs)
    return bound


def _refuse_unknown(what: str, given: Mapping[str, object], specs: Mapping[str, object]) -> None:
    unknown = [legible(name) for name in given if name not in specs]
    if unknown:
        raise ValuesRefused(f"Unknown job {what}: {_listed(unknown, ', ')}")


def typed(
    name: str,
    types: list[str],
    given: TypedValue,
    registered: frozenset[str] = NONE_REGISTERED,
) -> TypedValue:
    """Return a value with its own type, which must be a sub-type of one of ``types``.

    Raises:
        BadType: Its type cannot be read.
        ValuesRefused: The type is not allowed, or the value does not fit it.
    """
    expr = parse(given.type, registered)
    text = canonical(expr)
    if text not in types and not any(is_subtype(expr, above) for above in map(parse_stored, types)):
        raise ValuesRefused(f"'{name}' takes {_listed(types, ' or ')}, not {text}")
    if misfit := accepts(expr, given.value, name):
        raise ValuesRefused(f"'{name}' is no {text}: {misfit}")
    return TypedValue(value=given.value, type=text)


def untyped(name: str, types: list[str], value: object) -> TypedValue:
    """Return a bare value with the first of ``types`` that takes it.

    Raises:
        ValuesRefused: None of them does.
    """
    misfits = []
    for allowed in map(parse_stored, types):
        misfit = accepts(allowed, value, name)
        if misfit is None:
            return TypedValue(value=value, type=canonical(allowed))
        misfits.append(misfit)
    raise ValuesRefused(f"'{name}' takes {_listed(types, ' or ')}: {_listed(misfits, '; ')}")


def _listed(texts: list[str], glue: str) -> str:
    """Join the first few: a message stays readable whatever was sent."""
    return glue.join(texts[:8]) + (glue + "…" if len(texts) > 8 else "")
