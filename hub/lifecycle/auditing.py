"""The audit entry of a privileged act, in one form wherever it is made."""

import msgspec

from hub.lifecycle.commands import Actor
from orm.rows import AuditEntry


def entry(
    actor: Actor,
    action: str,
    object_type: str,
    object_pk: int | None,
    before: object = None,
    after: object = None,
) -> AuditEntry:
    """Return who did what to which object.

    Args:
        actor: Who; ``Actor(account=None)`` is the hub itself.
        action: The ``operation_id`` of the route, or its like.
        object_type: The kind of object, in the singular.
        object_pk: Its number.
        before: What it was, without secrets: a text as it is, anything else is stored as JSON.
        after: What it became, likewise.
    """
    return AuditEntry(
        actor.account,
        actor.session,
        actor.address,
        action,
        object_type,
        object_pk,
        _text(before),
        _text(after),
    )


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
