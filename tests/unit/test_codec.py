import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.protocol.codec import (
    DETAIL_MAX,
    BadMessage,
    decode_said,
    decode_told,
    encode,
)
from channels.protocol.frames import (
    MESSAGE_MAX_BYTES,
    Auth,
    Bookmark,
    Events,
    Filter,
    Notice,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
)

SUBSCRIBE = '{"op":"subscribe","id":"s1","topic":"jobs"'


@pytest.mark.parametrize(
    "frame",
    [
        Auth(token="t"),
        Ping(),
        Ping(t=0.5),
        Unsubscribe(id="a.b:c-d_e"),
        Subscribe(
            id="s1",
            topic="job",
            jobs=(42, 43),
            filter=Filter(status=("RUNNING",), label={"team": "nlp"}, template=(7, "x")),
            progress="all",
            snapshot="never",
            cursor="v1:k7f2q9:184467",
        ),
    ],
)
def test_what_a_client_encodes_the_hub_reads(frame: Auth | Ping | Unsubscribe | Subscribe) -> None:
    assert decode_said(encode(frame).decode()) == frame


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("", "truncated"),
        ("{", "truncated"),
        ("hello", "malformed"),
        ("[]", "array"),
        ("null", "null"),
        ("{}", "`op`"),
        ('{"op":7}', "`$.op`"),
        ('{"op":"dance"}', "'dance'"),
        ('{"op":"ping","op":"auth"}', "`$.op`"),
        ('{"op":"ping","x":1}', "`x`"),
        ('{"op":"ping","t":"1"}', "`$.t`"),
        ('{"op":"ping","t":1e400}', "`$.t`"),
        ('{"op":"ping","t":NaN}', "malformed"),
        ('{"op":"auth"}', "`token`"),
        ('{"op":"auth","token":""}', "`$.token`"),
        ('{"op":"auth","token":"\\ud800"}', ""),
        ('{"op":"unsubscribe","id":""}', "`$.id`"),
        ('{"op":"unsubscribe","id":"a b"}', "`$.id`"),
        ('{"op":"unsubscribe","id":"a\\n"}', "`$.id`"),
        ('{"op":"unsubscribe","id":"' + "a" * 65 + '"}', "`$.id`"),
        ('{"op":"subscribe","id":"s1"}', "`topic`"),
        ('{"op":"subscribe","id":"s1","topic":"weather"}', "`$.topic`"),
        (SUBSCRIBE + ',"jobs":[0]}', "`$.jobs[0]`"),
        (SUBSCRIBE + ',"jobs":[9223372036854775808]}', "`$.jobs[0]`"),
        (SUBSCRIBE + ',"jobs":[' + ",".join(["1"] * 1001) + "]}", "`$.jobs`"),
        (SUBSCRIBE + ',"filter":{"state":["RUNNING"]}}', "`state`"),
        (SUBSCRIBE + ',"filter":{"status":["running"]}}', "`$.filter.status[0]`"),
        (SUBSCRIBE + ',"filter":{"template":[true]}}', "`$.filter.template[0]`"),
        (SUBSCRIBE + ',"progress":"some"}', "`$.progress`"),
        (SUBSCRIBE + ',"cursor":"' + "1" * 65 + '"}', "`$.cursor`"),
        ('{"x":' + "[" * 16_000, "recursion"),
    ],
)
def test_a_message_that_is_none_is_refused_by_name(message: str, named: str) -> None:
    with pytest.raises(BadMessage) as refused:
        decode_said(message)
    assert named in refused.value.detail


def test_a_message_of_the_greatest_length_is_read_and_one_byte_more_is_not() -> None:
    message = '{"op":"ping"}'
    assert decode_said(message.ljust(MESSAGE_MAX_BYTES)) == Ping()
    for too_long in (message.ljust(MESSAGE_MAX_BYTES + 1), "é" * (MESSAGE_MAX_BYTES // 2 + 1)):
        with pytest.raises(BadMessage, match="16384 bytes"):
            decode_said(too_long)


def test_a_binary_message_is_refused() -> None:
    with pytest.raises(BadMessage, match="binary"):
        decode_said(b'{"op":"ping"}')


def test_a_long_text_of_the_client_does_not_come_back_whole() -> None:
    with pytest.raises(BadMessage) as refused:
        decode_said('{"op":"' + "x" * 10_000 + '"}')
    assert len(refused.value.detail) == DETAIL_MAX


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(BadMessage):
        decode_said(text)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda kids: st.lists(kids)))
def test_no_json_breaks_the_reader_and_what_it_takes_can_be_answered(value: object) -> None:
    message = msgspec.json.encode({"op": "ping", "t": value}).decode()
    try:
        said = decode_said(message)
    except BadMessage:
        return
    assert isinstance(said, Ping)
    assert msgspec.json.decode(encode(Pong(t=said.t, now="")))["t"] == value


def test_a_client_passes_over_what_a_later_hub_adds() -> None:
    assert decode_told('{"op":"bookmark","id":"s","cursor":"c","new":1}') == Bookmark(
        id="s", cursor="c"
    )
    assert decode_told('{"op":"fireworks","id":"s"}') is None
    assert decode_told('{"op":"notice","code":"lunch"}') is None
    assert decode_told('{"op":"notice","code":"stale"}') == Notice(code="stale")


@pytest.mark.parametrize(
    "message", ["", "[]", "{}", '{"op":7}', '{"op":"bookmark"}', '{"op":"pong","t":0']
)
def test_a_client_does_not_pass_over_what_is_broken(message: str) -> None:
    with pytest.raises(BadMessage):
        decode_told(message)


def test_the_names_on_the_wire_are_those_of_the_protocol() -> None:
    frame = Events(id="s1", from_="a", to="b", events=[])
    assert encode(frame) == b'{"op":"events","id":"s1","from":"a","to":"b","events":[]}'
    assert decode_told(encode(frame)) == frame
