"""What a stream says fits its format, whatever a worker sent."""

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.conflation import Told
from channels.events import Event
from channels.protocol import frames
from channels.selections import ENTERS, LEAVES, STAYS, Mark
from hub.live.faces import Beginning
from hub.live.stream_faces import FACES, LinesFace, SseFace
from tests.event_source import EventSource, Message

SPACES = st.text(st.sampled_from(" \t\n\r"), max_size=3)
WORDS = st.text(max_size=20) | st.sampled_from(["\n", "\r\n\r\n", "\u2028", "\x85", "data: x"])


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """JSON as a worker may write it: any words, and line breaks wherever JSON allows them."""
    words = draw(st.dictionaries(WORDS, WORDS, max_size=3))
    is_plain = draw(st.booleans())
    members = [
        f"{draw(SPACES)}{json.dumps(k, ensure_ascii=is_plain)}{draw(SPACES)}:{draw(SPACES)}"
        f"{json.dumps(v, ensure_ascii=is_plain)}{draw(SPACES)}"
        for k, v in words.items()
    ]
    return f"{{{','.join(members)}}}"


def event(number: int, data: str) -> Event:
    return Event(
        gseq=number,
        job=7,
        seq=number,
        tseq=1,
        kind="p",
        type="progress",
        time_us=0,
        from_status="RUNNING",
        to_status="RUNNING",
        attempt=1,
        node=3,
        progress=0.5,
        data=data.encode(),
    )


def heard(said: bytes) -> list[Message]:
    return EventSource().feed(said)


def encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


MARKS = st.sampled_from([STAYS, ENTERS, LEAVES])


@settings(deadline=None)
@given(st.lists(st.tuples(bodies().filter(encodable), MARKS, st.integers(0, 3)), max_size=5))
def test_both_forms_say_the_same_and_all_of_it(given: Sequence[tuple[str, Mark, int]]) -> None:
    told = [Told(event(g, body), mark, skip) for g, (body, mark, skip) in enumerate(given, 1)]
    lines = LinesFace("k7").events(0, 9, told).split(b"\n")
    messages = heard(SseFace("k7").events(0, 9, told))

    assert lines.pop() == b""
    assert len(lines) == len(messages) == len(told)
    for one, line, message in zip(told, lines, messages, strict=True):
        shown = msgspec.json.decode(message.data, type=frames.Event)
        assert shown.data == json.loads(one.event.data)
        assert (shown.g, shown.skip) == (one.event.gseq, one.skip)
        assert (shown.entered, shown.left) == (one.mark.entered, one.mark.left)
        place = f"v1:k7:{one.event.gseq}"
        assert message.last_id == place
        assert json.loads(line) == {**json.loads(message.data), "cursor": place}


ROWS = [b'{"pk":1,"progress_data":{\r\n"a":1}}', b'{"pk":2}']


@pytest.mark.parametrize("media_type", FACES)
def test_the_rest_is_one_object_each(media_type: str) -> None:
    face = FACES[media_type]("k7")
    said = [
        face.subscribed(Beginning("snapshot", 5, 9, 1, "expired")),
        face.part(5, 1, ROWS, is_last=False),
        face.part(5, 2, [], is_last=True),
        face.bookmark(5, 9),
    ]
    if media_type == SseFace.media_type:
        found = [json.loads(message.data) for one in said for message in heard(one)]
    else:
        found = [json.loads(line) for one in said for line in one.splitlines()]
    rows = [{"pk": 1, "progress_data": {"a": 1}}, {"pk": 2}]
    assert found == [
        {"type": "reset", "reason": "expired"},
        {"type": "snapshot", "at": "v1:k7:5", "part": 1, "last": False, "jobs": rows},
        {"type": "snapshot", "at": "v1:k7:5", "part": 2, "last": True, "jobs": []},
        {"type": "bookmark", "cursor": "v1:k7:9"},
    ]


@pytest.mark.parametrize("media_type", FACES)
def test_a_beginning_without_a_gap_needs_no_words(media_type: str) -> None:
    assert FACES[media_type]("k7").subscribed(Beginning("resume", 5, 9, 1, None)) == b""


def test_only_events_have_a_word_for_when_to_come_back() -> None:
    source = EventSource()
    assert source.feed(SseFace("k7").greeting() + SseFace.heartbeat) == []
    assert source.retry_ms == 2_000
    source.feed(SseFace("k7").farewell(4_321))
    assert source.retry_ms == 4_321
    assert LinesFace("k7").greeting() + LinesFace("k7").farewell(1) + LinesFace.heartbeat == b""
