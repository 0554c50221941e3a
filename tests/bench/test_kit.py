"""What the figures rest on: frames are read whole, stories are checked, copies are complete."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.bench import frames
from tests.bench.client import Address, Refused, body_of, content_length
from tests.bench.fanout import is_possible_order
from tests.bench.metering import metered
from tests.bench.pounding import Load, load_of
from tests.bench.processes import Server
from tests.bench.report import Target
from tests.bench.seed import TABLES, seed_sqlite
from tests.bench.watched import STORY, Witness


@pytest.mark.parametrize("size", [0, 125, 126, 60_000])
def test_a_frame_is_read_back_with_what_stood_before_and_after_it(size: int) -> None:
    data = frames.text_frame(b"a") + frames.text_frame(b"b" * size) + b"\x81"
    assert frames.split(data) == ([(frames.TEXT, b"a"), (frames.TEXT, b"b" * size)], b"\x81")


@pytest.mark.parametrize("size", [1, 200])
def test_a_frame_that_is_cut_anywhere_waits_for_the_rest(size: int) -> None:
    data = frames.text_frame(b"x" * size)
    assert all(frames.split(data[:cut]) == ([], data[:cut]) for cut in range(len(data)))


def test_a_message_in_pieces_is_refused() -> None:
    with pytest.raises(ValueError, match="several frames"):
        frames.split(b"\x01\x01a")


def test_the_length_is_found_in_any_spelling() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 12") == 12
    assert content_length(b"HTTP/1.1 204 No Content\r\nserver: x") == 0


def test_an_answer_that_does_not_say_where_it_ends_is_refused() -> None:
    with pytest.raises(Refused):
        content_length(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n[1,2,3]",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[1,2,\r\n2\r\n3]\r\n0\r\n\r\n",
    ],
    ids=["whole", "in chunks"],
)
def test_a_body_is_read_when_all_of_it_is_there(answer: bytes) -> None:
    end = answer.index(b"\r\n\r\n")
    assert body_of(answer, end) == b"[1,2,3]"
    assert all(body_of(answer[:cut], end) is None for cut in range(end + 4, len(answer)))


def test_a_chunk_that_ends_like_the_last_one_is_not_the_last_one() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked"
    assert body_of(head + b"\r\n\r\n5\r\n0\r\n\r\n", len(head)) is None


def test_the_cost_of_a_request_is_the_processor_time_of_its_server() -> None:
    class Clocked(Server):
        def cpu_s(self) -> float:
            return next(clock)

    clock = iter([1.0, 1.5])
    server = Clocked(Address("127.0.0.1", 1), 1)

    async def load() -> Load:
        return load_of(50, 1.0, [])

    assert asyncio.run(metered(server, load(), requests=5)).cpu_ms == 2.0


async def told(story: Sequence[tuple[str, int | None]], job: int = 7) -> None:
    """Let the witness of job 7 hear a story, and say what became of it."""
    watcher = Witness(7)
    watcher.connection_made(Mute())
    watcher.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    for transition, counter in story:
        data = {} if counter is None else {"counter": counter}
        message = {"transition": transition, "pk": job, "transition_data": data}
        watcher.data_received(frames.text_frame(msgspec.json.encode(message)))
    if STORY[-1] not in story:
        watcher.connection_lost(None)  # else the end would be waited for
    await watcher.testify()


class Mute(asyncio.WriteTransport):
    """A connection to nobody."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass


def test_a_witness_is_content_with_the_whole_story() -> None:
    asyncio.run(told(STORY))


WRONG = {
    "nothing": [],
    "no end": STORY[:-1],
    "a report is missing": [*STORY[:3], *STORY[4:]],
    "a report came twice": [*STORY[:3], *STORY[2:]],
    "two in the wrong order": [STORY[1], STORY[0], *STORY[2:]],
    "two reports in the wrong order": [*STORY[:2], STORY[3], STORY[2], *STORY[4:]],
    "another end": [*STORY[:-1], ("error", None)],
}


@pytest.mark.parametrize("story", WRONG.values(), ids=WRONG)
def test_a_witness_objects_to_any_other_story(story: Sequence[tuple[str, int | None]]) -> None:
    with pytest.raises(Refused, match="heard"):
        asyncio.run(told(story))


def test_a_witness_objects_to_the_story_of_another_job() -> None:
    with pytest.raises(Refused, match="of job 8"):
        asyncio.run(told(STORY, job=8))


def test_posts_that_overlapped_may_come_in_any_order() -> None:
    assert is_possible_order([1, 0], {0: 1.0, 1: 2.0}, {0: 5.0, 1: 4.0})


def test_a_post_that_was_answered_before_another_was_sent_comes_first() -> None:
    assert not is_possible_order([1, 0], {0: 1.0, 1: 3.0}, {0: 2.0, 1: 4.0})


@pytest.mark.parametrize(("bound", "met"), [("at least", False), ("at most", True)])
def test_a_target_has_a_right_side(bound: str, met: bool) -> None:
    assert Target("ratio", 0.4, bound, 0.5).is_met is met  # type: ignore[arg-type]  # parametrised


def test_copies_of_a_job_have_all_of_its_columns_and_numbers_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite3"
    with sqlite3.connect(path) as connection:
        for table in TABLES:
            connection.execute(
                f'create table {table} (pk integer primary key, a text, "index" int)'
            )
            connection.execute(f"insert into {table} values (7, 'seven', 70)")
    connection.close()
    seed_sqlite(path, job=7, copies=3)
    with sqlite3.connect(path) as connection:
        for table in TABLES:
            rows = connection.execute(f"select * from {table} order by pk").fetchall()
            assert rows == [(pk, "seven", 70) for pk in (7, 8, 9, 10)]
    connection.close()
