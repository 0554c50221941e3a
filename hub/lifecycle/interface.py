"""A template's interface: what its jobs take and give, and whether given values fit it."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hub.errors import HubError, InvalidInput, ValuesRefused
from hub.lifecycle.values import accepts, canonical, is_subtype, legible, parse

MAX_ENTRIES = 256
"""The most inputs, parameters or outputs of one template."""

MAX_TYPES = 32
"""The most types of one input or parameter."""

MAX_NAME = 64
"""The longest name of an input, parameter or output, in characters."""

MAX_HELP = 4096
"""The longest help text, in characters."""

_JSON = parse("UFDLJSONType")
_TEXT = parse("str")


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
) -> Bound:
    """Check typed values against an interface; inputs that it does not name are dropped.

    The order of the checks is that of UFDL's create-job. Defaults are not added to the result.

    Raises:
        BadType: The type of any value, also of a dropped one, cannot be read.
        InvalidInput: A parameter without a default is missing.
        ValuesRefused: An input is missing, a parameter is constant or unknown, a type is not
            allowed, or a value does not fit its type.
    """
    parameters = parameter_values or {}
    for given in chain(input_values.values(), parameters.values()):
        parse(given.type)
    return _bind(interface, input_values, parameters, _typed)


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
    return _bind(interface, inputs, parameters, _untyped)


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


def _typed(name: str, types: list[str], given: TypedValue) -> TypedValue:
    expr = parse(given.type)
    text = canonical(expr)
    if text not in types and not any(is_subtype(expr, parse(allowed)) for allowed in types):
        raise ValuesRefused(f"'{name}' takes {_listed(types, ' or ')}, not {text}")
    if misfit := accepts(expr, given.value, name):
        raise ValuesRefused(f"'{name}' is no {text}: {misfit}")
    return TypedValue(value=given.value, type=text)


def _untyped(name: str, types: list[str], value: object) -> TypedValue:
    misfits = []
    for allowed in map(parse, types):
        misfit = accepts(allowed, value, name)
        if misfit is None:
            return TypedValue(value=value, type=canonical(allowed))
        misfits.append(misfit)
    raise ValuesRefused(f"'{name}' takes {_listed(types, ' or ')}: {_listed(misfits, '; ')}")


def _listed(texts: list[str], glue: str) -> str:
    """Join the first few: a message stays readable whatever was sent."""
    return glue.join(texts[:8]) + (glue + "…" if len(texts) > 8 else "")


# Declaring an interface


def declare(
    inputs: Mapping[str, object],
    parameters: Mapping[str, object],
    outputs: Mapping[str, object],
) -> Interface:
    """Make an interface of what an administrator sends, with every type in canonical text.

    An entry is the text of its one type, or an object with ``type`` or (not for outputs) ``types``,
    and ``help``; a parameter's may have ``default``, ``default_type`` (without it the first of the
    types that takes the default) and ``const``.

    Raises:
        InvalidInput: With all faults, by field: ``{"parameters.size": ["..."]}``.
    """
    faults: dict[str, list[str]] = {}
    interface = Interface(
        inputs=_each("inputs", inputs, _input, faults),
        parameters=_each("parameters", parameters, _parameter, faults),
        outputs=_each("outputs", outputs, _output, faults),
    )
    if faults:
        raise InvalidInput("This is no interface of a template", fields=faults)
    return interface


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str | UnsetType = UNSET
    types: list[str] | UnsetType = UNSET
    help: str = ""


class _ParameterEntry(_Entry, frozen=True, forbid_unknown_fields=True):
    default: Any = UNSET
    default_type: str | UnsetType = UNSET
    const: bool | UnsetType = UNSET


class _OutputEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    help: str = ""


_Spec = TypeVar("_Spec")
_AnyEntry = TypeVar("_AnyEntry", _Entry, _ParameterEntry, _OutputEntry)


def _each(
    section: str,
    entries: Mapping[str, object],
    make: Callable[[object], _Spec],
    faults: dict[str, list[str]],
) -> dict[str, _Spec]:
    if len(entries) > MAX_ENTRIES:
        faults[section] = [f"More than {MAX_ENTRIES} entries"]
        return {}
    made = {}
    for name, raw in entries.items():
        try:
            _check_name(section, name)
            made[name] = make(raw)
        except HubError as refusal:
            faults[f"{section}.{legible(name)}"] = [refusal.detail]
    return made


def _check_name(section: str, name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise InvalidInput(
            f"A name has 1 to {MAX_NAME} printable characters and no blank at either end"
        )
    # It is a segment of the output's path: these would have become another path on their way here.
    if section == "outputs" and ("/" in name or name in (".", "..")):
        raise InvalidInput("An output's name has no '/', and is not '.' or '..'")


def _input(raw: object) -> InputSpec:
    entry = _entry(raw, _Entry)
    return InputSpec(types=_types(entry), help=entry.help)


def _parameter(raw: object) -> ParameterSpec:
    entry = _entry(raw, _ParameterEntry)
    types = _types(entry)
    for text in types:
        if not is_subtype(parse(text), _JSON):
            raise InvalidInput(f"A parameter is JSON, and {text} is not")
    if entry.default is UNSET:
        if entry.const is True or entry.default_type is not UNSET:
            raise InvalidInput("const and default_type need a default")
        return ParameterSpec(types=types, help=entry.help)
    return ParameterSpec(
        types=types,
        help=entry.help,
        default=entry.default,
        default_type=_default_type(entry, types),
        const=entry.const is True,
    )


def _output(raw: object) -> OutputSpec:
    entry = _entry(raw, _OutputEntry)
    return OutputSpec(type=canonical(parse(entry.type)), help=entry.help)


def _entry(raw: object, form: type[_AnyEntry]) -> _AnyEntry:
    try:
        entry = msgspec.convert({"type": raw} if isinstance(raw, str) else raw, form)
    except msgspec.ValidationError as fault:
        raise InvalidInput(legible(str(fault), limit=200)) from fault
    except UnicodeEncodeError as fault:
        raise InvalidInput("A member's name is not Unicode text") from fault
    if len(entry.help) > MAX_HELP or accepts(_TEXT, entry.help):
        raise InvalidInput(f"help is Unicode text of at most {MAX_HELP} characters")
    return entry


def _types(entry: _Entry) -> list[str]:
    match entry.type, entry.types:
        case str() as text, UnsetType():
            texts = [text]
        case UnsetType(), list() as texts:
            pass
        case _:
            raise InvalidInput("Give either type or types")
    if not 1 <= len(texts) <= MAX_TYPES:
        raise InvalidInput(f"An entry has 1 to {MAX_TYPES} types")
    return list(dict.fromkeys(canonical(parse(text)) for text in texts))


def _default_type(entry: _ParameterEntry, types: list[str]) -> str:
    if isinstance(entry.default_type, UnsetType):
        return _untyped("default", types, entry.default).type
    return _typed("default", types, TypedValue(entry.default, entry.default_type)).type
