"""The browser of the tests understands what the HTML standard says, by its own examples."""

import pytest

from tests.event_source import EventSource, Message


def heard(text: str, cut: int = 1 << 20) -> list[Message]:
    source, data = EventSource(), text.encode()
    parts = [data[start : start + cut] for start in range(0, len(data), cut)]
    return [message for part in parts for message in source.feed(part)]


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_examples_of_the_standard(cut: int, end: str) -> None:
    stocks = "data: YHOO\ndata: +2\ndata: 10\n\n"
    blocks = (
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n"
    )
    empty = "data\n\ndata\ndata\n\ndata:"
    spaces = "data:test\n\ndata: test\n\n"

    assert heard(stocks.replace("\n", end), cut) == [Message("message", "YHOO\n+2\n10", "")]
    assert heard(blocks.replace("\n", end), cut) == [
        Message("message", "first event", "1"),
        Message("message", "second event", ""),
        Message("message", " third", ""),
    ]
    assert [one.data for one in heard(empty.replace("\n", end), cut)] == ["", "\n"]
    assert [one.data for one in heard(spaces.replace("\n", end), cut)] == ["test", "test"]


def test_an_id_moves_without_data_and_a_name_does_not_stay() -> None:
    source = EventSource()
    assert source.feed(b"\xef\xbb\xbfid: 7\nevent: x\n\n") == []
    assert source.last_id == "7"
    assert source.feed(b"retry: 5\nretry: no\ndata: y\n\n") == [Message("message", "y", "7")]
    assert source.retry_ms == 5
    assert source.feed(b"data: cut off\n") == []
