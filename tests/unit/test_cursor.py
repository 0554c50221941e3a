import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.events import MAX_GSEQ, BadCursor, Cursor, Event
from tests.unit.feed_world import FakeLog

EPOCHS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=32)


@given(EPOCHS, st.integers(0, MAX_GSEQ))
def test_a_cursor_survives_its_text(epoch: str, gseq: int) -> None:
    cursor = Cursor(epoch, gseq)
    assert str(cursor) == f"v1:{epoch}:{gseq}"
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text() | st.from_regex(r"v1:[a-z0-9A-Z]{0,33}:[0-9+-]{0,20}"))
def test_any_text_is_a_bad_cursor_or_exactly_one_cursor(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except BadCursor:
        return
    assert str(cursor) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1:k7f2q9:",
        "v1::5",
        "v2:k7f2q9:5",
        "V1:k7f2q9:5",
        "v1:K7F2Q9:5",
        "v1:k7f2q9:-1",
        "v1:k7f2q9:+5",
        "v1:k7f2q9:05",
        "v1:k7f2q9:5\n",
        " v1:k7f2q9:5",
        "v1:k7f2q9:\N{ARABIC-INDIC DIGIT FIVE}",
        "v1:k7f2q9:5:6",
        f"v1:{'a' * 33}:5",
        f"v1:k7f2q9:{MAX_GSEQ + 1}",
        f"v1:k7f2q9:{'9' * 5000}",
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


def test_the_whole_range_of_positions_is_allowed() -> None:
    assert Cursor.parse("v1:a:0").gseq == 0
    assert Cursor.parse(f"v1:a:{MAX_GSEQ}").gseq == 2**63 - 1


@pytest.mark.parametrize(("epoch", "gseq"), [("", 1), ("A", 1), ("a" * 33, 1), ("a", -1)])
def test_no_cursor_is_made_of_parts_out_of_range(epoch: str, gseq: int) -> None:
    with pytest.raises(BadCursor):
        Cursor(epoch, gseq)


def test_a_face_is_encoded_once_for_all_watchers() -> None:
    [event] = FakeLog().commit(1)
    made: list[Event] = []

    def encode(one: Event) -> bytes:
        made.append(one)
        return msgspec.json.encode({"g": one.gseq})

    assert event.face("plain", encode) == b'{"g":1}'
    assert event.face("plain", encode) is event.face("plain", encode)
    assert made == [event]
    assert event.face("other", lambda _: b"x") == b"x"
