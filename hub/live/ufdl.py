"""The messages of the plain job socket: one JSON object a transition, as UFDL's clients expect.

Members in UFDL's order; ``seq``, ``tseq`` and ``cursor`` are ours and come last. Nine transitions
exist there; ``lifecycle.states.SHOWN_AS`` says what becomes of ours.
"""

from typing import Any

import msgspec

from channels.events import Cursor, Event
from hub.lifecycle.states import SHOWN_AS, Status
from hub.live.frames import text_frame
from hub.live.standing import Standing, error_of

FIRST_OF_STATUS = {
    Status.RUNNING: "progress",
    Status.COMPLETED: "finish",
    Status.FAILED: "error",
    Status.CANCELED: "cancel",
}
FACE = "ufdl"
EMPTY = msgspec.Raw(b"{}")


class Messages:
    """Makes text frames of events for plain sockets; ``epoch`` stands in the cursors."""

    def __init__(self, epoch: str, *, strict: bool = False) -> None:
        self._epoch = epoch
        self._strict = strict
        self._face = f"{FACE}-strict" if strict else FACE

    def of_event(self, event: Event) -> bytes | None:
        """Return the frame for ``event``, made once; ``None``: it is not shown here."""
        if event.type not in SHOWN_AS:
            return None
        return event.face(self._face, self._encode)

    def _encode(self, event: Event) -> bytes:
        is_progress = event.kind == "p"
        members: dict[str, Any] = {
            "transition": SHOWN_AS[event.type],
            "description": event.description,
            "pk": event.job,
            "progress": event.progress,
            "cancelled": event.to_status == Status.CANCELED,
        }
        if event.node is not None:
            members["node"] = event.node
        if event.to_status == Status.FAILED and not is_progress:
            members["error"] = error_of(event)
        members["transition_data"] = msgspec.Raw(event.data) if is_progress else EMPTY
        return self._with_place(members, event.seq, event.tseq, event.gseq)

    def first(self, job: Standing) -> bytes | None:
        """Return the frame a new watcher gets first; ``None`` for a job that has not begun."""
        transition = FIRST_OF_STATUS.get(job.status)
        if transition is None:
            return None
        members: dict[str, Any] = {
            "transition": transition,
            "description": job.description,
            "pk": job.job,
            "progress": job.progress,
            "cancelled": job.status == Status.CANCELED,
        }
        if job.node is not None:
            members["node"] = job.node
        if job.status == Status.FAILED:
            members["error"] = job.error
        members["transition_data"] = EMPTY
        return self._with_place(members, job.seq, job.tseq, job.gseq)

    def _with_place(self, members: dict[str, Any], seq: int, tseq: int, gseq: int) -> bytes:
        if not self._strict:
            members["seq"], members["tseq"] = seq, tseq
            members["cursor"] = str(Cursor(self._epoch, gseq))
        return text_frame(msgspec.json.encode(members))
