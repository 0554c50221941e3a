"""Rules of what is declared once and referred to for long: nodes, hardware, templates."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from hub.errors import Conflict, InvalidInput
from hub.lifecycle.auditing import entry
from hub.lifecycle.commands import Actor
from orm.queries.hardware import HardwareRow
from orm.rows import AuditEntry

REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NUL = "Null characters are not allowed."


class NodeInUse(Conflict):
    """Jobs refer to this node."""

    code = "node_in_use"


class NodeHoldsJob(Conflict):
    """This node holds a job, or may come back to one: no other account can have it now."""

    code = "node_holds_job"


class HardwareInUse(Conflict):
    """Nodes have this hardware generation, or docker images need it."""

    code = "hardware_in_use"


class TemplateExists(Conflict):
    """An active job template has this name and version."""

    code = "template_exists"


class TemplateDeleted(Conflict):
    """This job template is deleted; reinstate it first."""

    code = "template_deleted"


class TemplateInUse(Conflict):
    """Jobs were made from this template, or it is a child in the graph of another one."""

    code = "template_in_use"


class EmptyGraph(Conflict):
    """This meta-template has no children: there would be nothing to do."""

    code = "empty_graph"


class NoChildren(Conflict):
    """This job template has no children whose notifications could be overridden."""

    code = "no_children"


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


# The audit


def noted(
    actor: Actor, action: str, kind: str
) -> Callable[[msgspec.Struct | None, msgspec.Struct | None], list[AuditEntry]]:
    """Return what writes down ``action`` on a ``kind``, given its row before and after."""

    def note(before: msgspec.Struct | None, after: msgspec.Struct | None) -> list[AuditEntry]:
        subject: Any = after if before is None else before
        return [entry(actor, action, kind, subject.pk, before, after)]

    return note
