"""Rules of what is declared once and referred to for long: nodes, hardware, types, templates."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from hub.errors import Conflict, HubError, InvalidInput, Kind
from hub.lifecycle.commands import Actor
from orm.queries.hardware import HardwareRow
from orm.queries.job_types import BUILT_IN, JobTypeRow, TypeTexts
from orm.rows import AuditEntry

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NUL = "Null characters are not allowed."


class NodeInUse(Conflict):
    """Jobs refer to this node."""

    code = "node_in_use"


class HardwareInUse(Conflict):
    """Nodes have this hardware generation."""

    code = "hardware_in_use"


class JobTypeInUse(Conflict):
    """A job template names this job type."""

    code = "job_type_in_use"


class BuiltIn(Conflict):
    """This job type is built in: it keeps its name, and stays."""

    code = "built_in"


class TemplateExists(Conflict):
    """An active job template has this name and version."""

    code = "template_exists"


class TemplateDeleted(Conflict):
    """This job template is deleted; reinstate it first."""

    code = "template_deleted"


class TemplateInUse(Conflict):
    """Jobs were made from this template."""

    code = "template_in_use"


class NoChildren(Conflict):
    """This job template has no children whose notifications could be overridden."""

    code = "no_children"


class NotificationUnsupported(HubError):
    """This hub sends no print or e-mail notifications; web-socket ones, ``{}``, are always on."""

    kind = Kind.INVALID
    code = "notification_unsupported"


# Members of a body


def given(body: msgspec.Struct, names: Collection[str]) -> dict[str, Any]:
    """Return those of the named members that were sent."""
    sent = ((name, getattr(body, name)) for name in names)
    return {name: value for name, value in sent if value is not UNSET}


def check_members(
    sent: Mapping[str, Any], limits: Mapping[str, int], required: Collection[str] = ()
) -> None:
    """Refuse missing members, and texts that are blank, too long, or not storable.

    Args:
        sent: The members that were sent.
        limits: The most characters of each text.
        required: What must have been sent.

    Raises:
        InvalidInput: with all faults, by member, in the words that UFDL's clients know.
    """
    faults = {name: [REQUIRED] for name in required if name not in sent}
    for name, most in limits.items():
        if problem := text_problem(sent.get(name), most):
            faults[name] = [problem]
    if faults:
        names = ", ".join(faults)
        raise InvalidInput(f"This is not what is asked for: {names}", fields=faults)


def text_problem(value: object, most: int) -> str | None:
    """Say what is wrong with a text of up to ``most`` characters; what is no text is not judged."""
    if not isinstance(value, str):
        return None
    if not value.strip():
        return BLANK
    if len(value) > most:
        return f"Ensure this field has no more than {most} characters."
    return NUL if "\0" in value else None


def check_storable(member: str, texts: Iterable[str]) -> None:
    """Refuse texts that PostgreSQL could not store, or could not read as JSON later.

    Raises:
        InvalidInput: one of them, the whole or a part of ``member``, has a NUL character.
    """
    if any("\0" in text for text in texts):
        raise InvalidInput(f"{member} has a NUL character", fields={member: [NUL]})


def is_dotted(path: str) -> bool:
    """Whether ``path`` names something inside a Python module: identifiers joined by dots."""
    parts = path.split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


# Hardware

EMPTY_RANGE = "min_compute_capability must be less than max_compute_capability."


def check_range(low: float, high: float) -> None:
    """Refuse a generation that covers no compute capability.

    Raises:
        InvalidInput: ``low`` is not less than ``high``.
    """
    if low >= high:
        raise InvalidInput(EMPTY_RANGE, fields={"non_field_errors": [EMPTY_RANGE]})


def covering(compute: float, known: Iterable[HardwareRow]) -> HardwareRow | None:
    """Return the first generation that covers a compute capability, ``None`` when none does."""
    for row in known:
        if row.min_compute_capability <= compute < row.max_compute_capability:
            return row
    return None


# Where a type is named

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def names_type(texts: TypeTexts, name: str) -> bool:
    """Whether a template's interface or contract has the type as a whole word, not in quotes."""
    return any(name in _IDENTIFIER.findall(_QUOTED.sub("", text)) for text in _type_texts(texts))


def check_free(row: JobTypeRow, mentions: Iterable[TypeTexts]) -> None:
    """Refuse to take away a name that others rely on.

    Args:
        row: The type whose name would go.
        mentions: The texts of at least all templates in which the name occurs.

    Raises:
        BuiltIn: every hub has this type.
        JobTypeInUse: a template names it.
    """
    if row.name in BUILT_IN:
        raise BuiltIn(f"job type {row.name!r} is built in: it keeps its name, and stays")
    for texts in mentions:
        if names_type(texts, row.name):
            raise JobTypeInUse(f"job template {texts.template} names {row.name!r}")


def _type_texts(texts: TypeTexts) -> Iterator[str]:
    yield texts.contract
    for section in (texts.inputs, texts.parameters, texts.outputs):
        for entry in msgspec.json.decode(section).values():
            yield from entry.get("types", ())
            yield from (entry[key] for key in ("type", "default_type") if key in entry)


# The audit


def noted(
    actor: Actor, action: str, kind: str
) -> Callable[[msgspec.Struct | None, msgspec.Struct | None], list[AuditEntry]]:
    """Return what writes down ``action`` on a ``kind``, given its row before and after."""

    def note(before: msgspec.Struct | None, after: msgspec.Struct | None) -> list[AuditEntry]:
        subject: Any = after if before is None else before
        return [
            AuditEntry(
                *(actor.account, actor.session, actor.address, action, kind, subject.pk),
                before=_json(before),
                after=_json(after),
            )
        ]

    return note


def _json(row: msgspec.Struct | None) -> str | None:
    return None if row is None else msgspec.json.encode(row).decode()
