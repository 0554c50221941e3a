"""What the figures rest on: frames are read whole, stories are checked, copies are complete."""

import sqlite3
from pathlib import Path

import pytest

from tests.bench import frames
from tests.bench.client import Refused, content_length
from tests.bench.fanout import is_possible_order
from tests.bench.report import Target
from tests.bench.seed import TABLES, seed_sqlite


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


def test_a_chunked_answer_is_refused() -> None:
    with pytest.raises(Refused):
        content_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked")


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
