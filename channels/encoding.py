"""Events as ``hub.v1`` shows them: encoded once, and put together by bytes for each frame."""

import msgspec

from channels.conflation import Told
from channels.events import Cursor, Event
from channels.protocol import frames
from channels.times import iso

FACE = "hub.v1"
_NO_SKIP = b'"skip":0'
_ENCODER = msgspec.json.Encoder()


def shown(told: Told) -> bytes:
    """Return the JSON of an event as ``frames.Event`` describes it."""
    text = told.event.face(FACE, _encoded)
    if told.skip:
        # Nothing but numbers stands before this member: it is the first of its kind.
        text = text.replace(_NO_SKIP, b'"skip":%d' % told.skip, 1)
    if told.mark.entered:
        text = text[:-1] + b',"entered":true}'
    elif told.mark.left:
        text = text[:-1] + b',"left":true}'
    return text


def _encoded(event: Event) -> bytes:
    return _ENCODER.encode(
        frames.Event(
            g=event.gseq,
            job=event.job,
            seq=event.seq,
            tseq=event.tseq,
            skip=0,
            type="job.progress" if event.kind == "p" else "job.transition",
            transition=event.type,
            from_status=event.from_status,
            to_status=event.to_status,
            time=iso(event.time_us),
            attempt=event.attempt,
            node=event.node,
            progress_amount=event.progress,
            n=event.n,
            data=msgspec.Raw(event.data),
        )
    )


def events_frame(name: str, epoch: str, after: int, upto: int, told: list[Told]) -> bytes:
    """Return the ``events`` message of subscription ``name`` as ``frames.Events`` describes it."""
    place = f'"from":"{Cursor(epoch, after)}","to":"{Cursor(epoch, upto)}"'
    # The pattern of a name leaves nothing to escape in it.
    head = f'{{"op":"events","id":"{name}",{place},"events":['
    return b"%s%s]}" % (head.encode(), b",".join(map(shown, told)))
