"""What the placeholders in the texts of notifications stand for."""

import msgspec

from channels.events import Event
from hub.lifecycle.states import SHOWN_AS, Status


def values_of(event: Event) -> dict[str, str]:
    """Return the text of every placeholder; what is not there at that transition is empty."""
    is_progress = event.kind == "p"
    has_failed = event.to_status == Status.FAILED and not is_progress
    return {
        "pk": str(event.job),
        "transition": SHOWN_AS[event.type],
        "description": event.description,
        "progress": str(event.progress),
        "cancelled": "true" if event.to_status == Status.CANCELED else "false",
        "node": "" if event.node is None else str(event.node),
        "error": _error(event) if has_failed else "",
        "transition_data": event.data.decode() if is_progress else "{}",
    }


def _error(event: Event) -> str:
    return str(msgspec.json.decode(event.data)["row"]["error_reason"] or "")
