"""What a job may be asked to tell: web-socket actions, always on; the others are refused."""

from contextlib import suppress
from typing import Any

import msgspec

from hub.errors import InvalidInput
from hub.lifecycle.catalogue import NotificationUnsupported
from hub.wire.templates import EmailAction, NotificationOverride, PrintAction, WebSocketAction

MEMBER = "notification_override"
KINDS = (WebSocketAction, PrintAction, EmailAction)


def check_override(override: dict[str, Any]) -> None:
    """Accept an override that asks for web-socket messages only.

    Raises:
        InvalidInput: it has not the form of one.
        NotificationUnsupported: it asks for a print or an e-mail.
    """
    try:
        asked = msgspec.convert(override, NotificationOverride)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{MEMBER}: {error}", fields={MEMBER: [str(error)]}) from error
    kinds = {_kind(action) for actions in asked.actions.values() for action in actions}
    if kinds - {WebSocketAction}:
        detail = (NotificationUnsupported.__doc__ or "").strip()
        raise NotificationUnsupported(detail, fields={MEMBER: [detail]})


def _kind(action: dict[str, Any]) -> type[msgspec.Struct]:
    """Return what sort of action has exactly such members."""
    for kind in KINDS:
        with suppress(msgspec.ValidationError):
            return type(msgspec.convert(action, kind))
    problem = "An action is {} (web-socket), {message} (print) or {subject, body} (e-mail)."
    raise InvalidInput(f"{MEMBER}: {problem}", fields={MEMBER: [problem]})
