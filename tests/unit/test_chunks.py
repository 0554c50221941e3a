"""Rows of a list are sent in few pieces, none of which is much larger than it may be."""

import pytest

from hub.api.lists import CHUNK_BYTES, chunks


def test_many_small_rows_are_one_piece() -> None:
    assert list(chunks([b"1", b"2", b"3"])) == [b"1,2,3"]


def test_no_rows_are_no_piece() -> None:
    assert list(chunks([])) == []


@pytest.mark.parametrize("sizes", [[CHUNK_BYTES, 1], [1, CHUNK_BYTES], [2 * CHUNK_BYTES, 1]])
def test_what_is_too_much_for_one_piece_is_two(sizes: list[int]) -> None:
    rows = [b"x" * size for size in sizes]
    assert list(chunks(rows)) == rows


def test_pieces_with_commas_between_them_are_all_rows_in_order() -> None:
    rows = [b"%d" % number * 900 for number in range(2_000)]
    pieces = list(chunks(rows))
    assert b",".join(pieces) == b",".join(rows)
    assert 1 < len(pieces) < 30
