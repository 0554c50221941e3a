"""Parameters as an imported template says them: texts of types stay as they were written.

A default without a type is of the first type. These are the rules of UFDL's import; those of a
template that is declared here stand in ``declaring``.
"""

from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from hub.errors import InvalidInput
from hub.lifecycle.declaring import MAX_ENTRIES, check_name
from hub.lifecycle.interface import ParameterSpec
from hub.lifecycle.types import is_subtype, legible, parse
from hub.lifecycle.values import accepts
from hub.wire.imports import Override, ParameterForm

_JSON = parse("UFDLJSONType")
_TEXT = parse("str")


def parameters_of(
    forms: dict[str, ParameterForm], registered: frozenset[str]
) -> dict[str, ParameterSpec]:
    """Return the parameters of a template.

    Args:
        forms: What was sent, by name.
        registered: The names of the types that users registered.

    Raises:
        BadType: The text of a type cannot be read.
        InvalidInput: There are too many, a name is bad, a type is not JSON, or a default does not
            fit.
    """
    if len(forms) > MAX_ENTRIES:
        raise InvalidInput(f"there are more than {MAX_ENTRIES} parameters")
    for name in forms:
        check_name("parameters", name)
    return {name: _parameter(name, form, registered) for name, form in forms.items()}


def settled_override(
    name: str, spec: ParameterSpec, override: Override, registered: frozenset[str]
) -> Override:
    """Return an override that fits a child's parameter, with the type of its default.

    Args:
        name: What messages call the parameter.
        spec: What the child's template says.
        override: What the meta-template says.
        registered: The names of the types that users registered.

    Raises:
        BadType: The text of the type cannot be read.
        InvalidInput: The parameter is constant, or the default does not fit.
    """
    if spec.const is True:
        raise InvalidInput(f"parameter {name} is const")
    return Override(**_default(name, spec.types, override, registered))


def with_override(spec: ParameterSpec, override: Override) -> ParameterSpec:
    """Return a child's parameter as a meta-template has it; the override was settled before."""
    if override.default is UNSET:
        return spec
    return replace(
        spec,
        default=override.default,
        default_type=override.default_type,
        const=override.const,
    )


def _parameter(name: str, form: ParameterForm, registered: frozenset[str]) -> ParameterSpec:
    for text in form.types:
        if not is_subtype(parse(text, registered), _JSON):
            raise InvalidInput(f"parameter {name} is JSON, and {legible(text)} is not")
    if accepts(_TEXT, form.help):
        raise InvalidInput(f"the help of parameter {name} is not Unicode text")
    default = _default(name, form.types, form, registered)
    return ParameterSpec(types=form.types, help=form.help, **default)


def _default(
    name: str, types: list[str], given: ParameterForm | Override, registered: frozenset[str]
) -> dict[str, Any]:
    """Return ``default``, ``default_type`` and ``const``, or nothing where there is no default."""
    text = types[0] if isinstance(given.default_type, UnsetType) else given.default_type
    expr = parse(text, registered)
    if not any(is_subtype(expr, parse(allowed, registered)) for allowed in types):
        raise InvalidInput(f"{legible(text)} is none of the types of parameter {name}")
    if given.default is UNSET:
        if given.const is True:
            raise InvalidInput(f"parameter {name} is const and has no default")
        return {}
    if misfit := accepts(expr, given.default, "default"):
        raise InvalidInput(f"the default of parameter {name} is no {legible(text)}: {misfit}")
    return {"default": given.default, "default_type": text, "const": given.const is True}
