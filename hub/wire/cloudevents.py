"""Events of the log as CloudEvents 1.0 in JSON, for those whose tools take these already."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from channels.events import Event
from hub.wire.events import EventOut, EventType
from hub.wire.stored_events import event_out

FORMAT = "cloudevents"
"""What ``?format=`` calls it."""

ONE_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"
"""Media types of one event, and of a JSON array of them."""

FACE = "cloudevents"
SEQUENCE_DIGITS = 20

ENCODER = msgspec.json.Encoder()


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One committed change of one job, as CloudEvents 1.0 puts it.

    ``id`` is epoch and number of the event in the log: together with ``source`` it is the same
    however often the event is told. ``subject`` is the transition. ``sequence`` is the number with
    leading zeros, so that texts sort as numbers do; it only compares within an epoch, and carries
    no ``sequencetype``, since the one that there is for numbers ends at 32 bits. ``data`` is the
    event as ``/v1/events`` shows it.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: EventType
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: Annotated[str, Meta(pattern=rf"^[0-9]{{{SEQUENCE_DIGITS}}}$")]
    data: EventOut


class CloudEvents:
    """Makes CloudEvents of events; ``epoch`` stands in their ids."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch

    def of_event(self, event: Event) -> bytes:
        """Return the JSON for ``event``, made once for all that ask for it."""
        return event.face(FACE, self._encode)

    def line(self, event: Event) -> bytes:
        """Return ``event`` as a line of NDJSON."""
        return self.of_event(event) + b"\n"

    def _encode(self, event: Event) -> bytes:
        data = event_out(event)
        return ENCODER.encode(
            CloudEvent(
                id=f"{self._epoch}:{event.gseq}",
                source=f"/jobs/{event.job}",
                type=data.type,
                subject=event.type,
                time=data.time,
                sequence=f"{event.gseq:0{SEQUENCE_DIGITS}}",
                data=data,
            )
        )


def batch(events: Sequence[bytes]) -> bytes:
    """Return encoded CloudEvents as the body of a batch."""
    return b"[" + b",".join(events) + b"]"
