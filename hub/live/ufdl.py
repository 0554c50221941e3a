"""The messages of the plain job socket: one JSON object a transition, as UFDL's clients expect.

Members in UFDL's order; ``seq``, ``tseq`` and ``cursor`` are ours and come last. Nine transitions
exist there; ``lifecycle.states.SHOWN_AS`` says what becomes of ours.
"""

import msgspec
from msgspec import UNSET, UnsetType

from channels.events import Cursor, Event
from hub.lifecycle.states import SHOWN_AS, Status
from hub.live.frames import text_frame
from hub.live.standing import Standing, error_of
from hub.wire.plain_messages import PlainMessage, ShownTransition

FIRST_OF_STATUS: dict[Status, ShownTransition] = {
    Status.RUNNING: "progress",
    Status.COMPLETED: "finish",
    Status.FAILED: "error",
    Status.CANCELED: "cancel",
}
FACE = "ufdl"
EMPTY = msgspec.Raw(b"{}")
ENCODER = msgspec.json.Encoder()

Place = tuple[int, int, str] | tuple[UnsetType, UnsetType, UnsetType]
"""``seq``, ``tseq`` and the cursor of a message; a strict one has none of them."""

NOWHERE: Place = (UNSET, UNSET, UNSET)


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
        has_failed = event.to_status == Status.FAILED and not is_progress
        seq, tseq, cursor = self._place(event.seq, event.tseq, event.gseq)
        message = PlainMessage(
            transition=SHOWN_AS[event.type],
            description=event.description,
            pk=event.job,
            progress=event.progress,
            cancelled=event.to_status == Status.CANCELED,
            node=UNSET if event.node is None else event.node,
            error=error_of(event) if has_failed else UNSET,
            transition_data=msgspec.Raw(event.data) if is_progress else EMPTY,  # type: ignore[arg-type]  # the JSON of an object
            seq=seq,
            tseq=tseq,
            cursor=cursor,
        )
        return text_frame(ENCODER.encode(message))

    def first(self, job: Standing) -> bytes | None:
        """Return the frame a new watcher gets first; ``None`` for a job that has not begun."""
        transition = FIRST_OF_STATUS.get(job.status)
        if transition is None:
            return None
        seq, tseq, cursor = self._place(job.seq, job.tseq, job.gseq)
        message = PlainMessage(
            transition=transition,
            description=job.description,
            pk=job.job,
            progress=job.progress,
            cancelled=job.status == Status.CANCELED,
            node=UNSET if job.node is None else job.node,
            error=job.error if job.status == Status.FAILED else UNSET,
            transition_data={},
            seq=seq,
            tseq=tseq,
            cursor=cursor,
        )
        return text_frame(ENCODER.encode(message))

    def _place(self, seq: int, tseq: int, gseq: int) -> Place:
        return NOWHERE if self._strict else (seq, tseq, str(Cursor(self._epoch, gseq)))
