"""An event as CloudEvents 1.0 puts it, member by member."""

import json
import re
from typing import Any

from channels.events import MAX_GSEQ, Event
from hub.wire.cloudevents import CloudEvents, batch
from hub.wire.stored_events import event_out

EPOCH = "k7f2q9"


def progress(**members: Any) -> Event:
    told: dict[str, Any] = {
        "gseq": 184_503,
        "job": 42,
        "seq": 61,
        "tseq": 3,
        "kind": "p",
        "type": "progress",
        "time_us": 1_795_000_000_000_418,
        "from_status": "RUNNING",
        "to_status": "RUNNING",
        "attempt": 1,
        "node": 7,
        "progress": 0.425,
        "data": '{"pct":42.5,"note":"ä"}'.encode(),
    }
    return Event(**told | members)


def test_a_progress_event_has_exactly_this_shape() -> None:
    text = CloudEvents(EPOCH).of_event(progress()).decode()

    assert list(json.loads(text)) == [
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype"),
        *("sequence", "data"),
    ]
    assert json.loads(text) == {
        "specversion": "1.0",
        "id": "k7f2q9:184503",
        "source": "/jobs/42",
        "type": "job.progress",
        "subject": "progress",
        "time": "2026-11-18T11:06:40.000418Z",
        "datacontenttype": "application/json",
        "sequence": "00000000000000184503",
        "data": {
            "g": 184503,
            "job": 42,
            "seq": 61,
            "tseq": 3,
            "type": "job.progress",
            "transition": "progress",
            "from_status": "RUNNING",
            "to_status": "RUNNING",
            "time": "2026-11-18T11:06:40.000418Z",
            "attempt": 1,
            "node": 7,
            "progress_amount": 0.425,
            "n": 1,
            "data": {"pct": 42.5, "note": "ä"},
        },
    }


def test_a_transition_is_named_as_the_subject() -> None:
    finish = progress(kind="t", type="finish", to_status="COMPLETED", data=b'{"row":{}}')

    told = json.loads(CloudEvents(EPOCH).of_event(finish))

    assert (told["type"], told["subject"]) == ("job.transition", "finish")
    assert told["data"]["data"] == {"row": {}}


def test_the_names_of_attributes_are_those_that_the_standard_allows() -> None:
    told = json.loads(CloudEvents(EPOCH).of_event(progress()))
    assert [name for name in told if not re.fullmatch("[a-z0-9]{1,20}", name)] == []


def test_sequences_sort_as_texts_as_their_numbers_do() -> None:
    numbers = [1, 9, 10, 99, 100, 2**31, 2**32, 2**53 + 1, MAX_GSEQ]
    told = [json.loads(CloudEvents(EPOCH).of_event(progress(gseq=gseq))) for gseq in numbers]

    sequences = [one["sequence"] for one in told]
    assert sequences == sorted(sequences)
    assert [int(one) for one in sequences] == numbers
    assert {len(one) for one in sequences} == {20}
    assert all("sequencetype" not in one for one in told)


def test_an_event_is_encoded_once() -> None:
    event, events = progress(), CloudEvents(EPOCH)
    assert events.of_event(event) is events.of_event(event)


def test_events_come_one_a_line_or_as_an_array() -> None:
    events = CloudEvents(EPOCH)
    pair = [progress(), progress(gseq=184_504, data=b'{"text":"two\\nlines"}')]

    lines = b"".join(events.line(event) for event in pair)
    array = batch([events.of_event(event) for event in pair])

    assert [json.loads(line) for line in lines.splitlines()] == json.loads(array)
    assert batch([]) == b"[]"


def test_the_data_is_the_event_as_the_log_shows_it() -> None:
    event = progress()
    told = json.loads(CloudEvents(EPOCH).of_event(event))
    shown = event_out(event)
    assert told["data"] == {
        name: json.loads(event.data) if name == "data" else getattr(shown, name)
        for name in shown.__struct_fields__
    }
