"""What an administrator declares: the entries of a template, checked and made an interface."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from hub.errors import HubError, InvalidInput
from hub.lifecycle.interface import (
    InputSpec,
    Interface,
    OutputSpec,
    ParameterSpec,
    TypedValue,
    typed,
    untyped,
)
from hub.lifecycle.types import (
    NONE_REGISTERED,
    canonical,
    is_subtype,
    legible,
    parse,
    parse_stored,
)
from hub.lifecycle.values import accepts

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


def declare(
    inputs: Mapping[str, object],
    parameters: Mapping[str, object],
    outputs: Mapping[str, object],
    registered: frozenset[str] = NONE_REGISTERED,
) -> Interface:
    """Make an interface of what an administrator sends, with every type in canonical text.

    An entry is the text of its one type, or an object with ``type`` or (not for outputs) ``types``,
    and ``help``; a parameter's may have ``default``, ``default_type`` (without it the first of the
    types that takes the default) and ``const``. ``registered`` are the names of the types that
    users registered.

    Raises:
        InvalidInput: With all faults, by field: ``{"parameters.size": ["..."]}``.
    """
    faults: dict[str, list[str]] = {}
    interface = Interface(
        inputs=_each("inputs", inputs, partial(_input, registered), faults),
        parameters=_each("parameters", parameters, partial(_parameter, registered), faults),
        outputs=_each("outputs", outputs, partial(_output, registered), faults),
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
            check_name(section, name)
            made[name] = make(raw)
        except HubError as refusal:
            faults[f"{section}.{legible(name)}"] = [refusal.detail]
    return made


def check_name(section: str, name: str) -> None:
    """Refuse a name that an entry of ``inputs``, ``parameters`` or ``outputs`` cannot have.

    Raises:
        InvalidInput: it is blank, too long, or no good in the path of an output.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise InvalidInput(
            f"A name has 1 to {MAX_NAME} printable characters and no blank at either end"
        )
    # It is a segment of the output's path: these would have become another path on their way here.
    if section == "outputs" and ("/" in name or name in (".", "..")):
        raise InvalidInput("An output's name has no '/', and is not '.' or '..'")


def _input(registered: frozenset[str], raw: object) -> InputSpec:
    entry = _entry(raw, _Entry)
    return InputSpec(types=_types(entry, registered), help=entry.help)


def _parameter(registered: frozenset[str], raw: object) -> ParameterSpec:
    entry = _entry(raw, _ParameterEntry)
    types = _types(entry, registered)
    for text in types:
        if not is_subtype(parse_stored(text), _JSON):
            raise InvalidInput(f"A parameter is JSON, and {text} is not")
    if entry.default is UNSET:
        if entry.const is True or entry.default_type is not UNSET:
            raise InvalidInput("const and default_type need a default")
        return ParameterSpec(types=types, help=entry.help)
    return ParameterSpec(
        types=types,
        help=entry.help,
        default=entry.default,
        default_type=_default_type(entry, types, registered),
        const=entry.const is True,
    )


def _output(registered: frozenset[str], raw: object) -> OutputSpec:
    entry = _entry(raw, _OutputEntry)
    return OutputSpec(type=canonical(parse(entry.type, registered)), help=entry.help)


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


def _types(entry: _Entry, registered: frozenset[str]) -> list[str]:
    match entry.type, entry.types:
        case str() as text, UnsetType():
            texts = [text]
        case UnsetType(), list() as texts:
            pass
        case _:
            raise InvalidInput("Give either type or types")
    if not 1 <= len(texts) <= MAX_TYPES:
        raise InvalidInput(f"An entry has 1 to {MAX_TYPES} types")
    return list(dict.fromkeys(canonical(parse(text, registered)) for text in texts))


def _default_type(entry: _ParameterEntry, types: list[str], registered: frozenset[str]) -> str:
    if isinstance(entry.default_type, UnsetType):
        return untyped("default", types, entry.default).type
    given = TypedValue(entry.default, entry.default_type)
    return typed("default", types, given, registered).type
