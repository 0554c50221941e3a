"""JSON schemas of types: what a form for a value of the type may offer.

Objects that the hub keeps are described as the hub shows them. A type of which nothing is known has
a schema that takes anything.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hub.lifecycle.types import Constant, Named, TypeExpr, canonical, is_abstract

Schema = dict[str, Any]
Known = Mapping[str, Sequence[int | str]]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_BOOL: Schema = {"type": "boolean"}
_PK: Schema = {"type": "integer", "minimum": 1}
_BYTES: Schema = {"type": "string", "contentEncoding": "base64"}


def schema_of(expr: TypeExpr, known: Known) -> Schema:
    """Return the JSON schema of a type, to be read only.

    Args:
        expr: The type.
        known: The values that there are now of each type that ``lookups_of`` names, by its
            canonical text. A type that is not in it takes any number or name.
    """
    if isinstance(expr, Constant):
        return {"const": expr.value}
    make = _MAKERS.get(expr.name)
    return make(expr, known) if make else _PLAIN.get(expr.name, {})


def lookups_of(expr: TypeExpr) -> list[Named]:
    """Return the types within a type whose values are known only to the database, each once.

    They are ``PK<...>`` and ``Name<...>`` of a server-resident type that is not abstract.
    """
    return list(dict.fromkeys(_lookups(expr)))


def _lookups(expr: TypeExpr) -> Iterator[Named]:
    match expr:
        case Named("PK" | "Name", (of,)):
            if not is_abstract(of):
                yield expr
        case Named("Array" | "Map", (of, *_)):
            yield from _lookups(of)


# By family


def _pk(expr: Named, known: Known) -> Schema:
    return _one_of(expr, known) or _PK


def _name(expr: Named, known: Known) -> Schema:
    return _one_of(expr, known) or _TEXT


def _one_of(expr: Named, known: Known) -> Schema | None:
    text = canonical(expr)
    return {"enum": list(known[text])} if text in known else None


def _array(expr: Named, known: Known) -> Schema:
    array: Schema = {"type": "array", "items": schema_of(expr.args[0], known)}
    match expr.args[1]:
        case Constant(value=int(size)) if size < 0:
            return {"not": {}}
        case Constant(value=size):
            array |= {"minItems": size, "maxItems": size}
    return array


def _map(expr: Named, known: Known) -> Schema:
    return {"type": "object", "additionalProperties": schema_of(expr.args[0], known)}


def _framework(expr: Named, known: Known) -> Schema:
    name, version = (schema_of(arg, known) for arg in expr.args)
    return _object({"name": name, "version": version})


def _domain(expr: Named, known: Known) -> Schema:
    code = {"type": "string", "minLength": 2, "maxLength": 2}
    return _object({"name": code, "description": schema_of(expr.args[0], known)})


def _docker_image(expr: Named, known: Known) -> Schema:
    domain, framework = (schema_of(arg, known) for arg in expr.args)
    texts = ("name", "version", "url", "registry_url", "licence")
    return _object(
        {
            **dict.fromkeys(texts, _TEXT),
            **dict.fromkeys(("registry_username", "registry_password"), _or_null(_TEXT)),
            "cuda_version": _CUDA_VERSION,
            "framework": framework,
            # Of its domain the image shows the description.
            "domain": domain["properties"]["description"],
            "tasks": {"type": "array", "items": _TEXT},
            "min_hardware_generation": _or_null(_HARDWARE),
            "cpu": _BOOL,
        }
    )


def _object(members: Schema, *, is_open: bool = False) -> Schema:
    """Describe an object that the hub keeps; unless open it has no other members than these."""
    members = {"pk": _PK, **members}
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": is_open,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_CUDA_VERSION = _object(dict.fromkeys(("version", "full_version", "min_driver_version"), _TEXT))
_HARDWARE = _object(
    {
        "generation": _TEXT,
        "min_compute_capability": _NUMBER,
        "max_compute_capability": _NUMBER,
    }
)
_PLAIN: dict[str, Schema] = {
    "str": _TEXT,
    "int": {"type": "integer"},
    "float": _NUMBER,
    "bool": _BOOL,
    "ValueType": {"type": ["string", "number", "boolean"]},
    "Nothing": {"type": "null"},
    "ServerResidentType": {"type": ["object", "integer"]},
    "NamedServerType": {"type": "object"},
    "JobOutput": _PK,
    "BLOB": _BYTES,
    "Compressed": _BYTES,
    "Model": _BYTES,
    "CUDAVersion": _CUDA_VERSION,
    "Hardware": _HARDWARE,
    # A worker ignores what else these have.
    "Dataset": _object({"name": _TEXT, "version": _PK}, is_open=True),
    "PretrainedModel": _object({"name": _TEXT}, is_open=True),
}
_MAKERS: dict[str, Callable[[Named, Known], Schema]] = {
    "Array": _array,
    "Map": _map,
    "PK": _pk,
    "Name": _name,
    "Framework": _framework,
    "Domain": _domain,
    "DockerImage": _docker_image,
}
