"""How far the log was seen, in a file that survives the database."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.upkeep.high_water import EPOCHS_MAX, FILE, HighWater


def test_a_folder_that_saw_nothing_has_been_passed_by_nothing(tmp_path: Path) -> None:
    assert not HighWater(tmp_path / "new").has_passed("e1", 0)


def test_a_log_that_is_behind_what_was_seen_has_been_passed(tmp_path: Path) -> None:
    HighWater(tmp_path / "new").raise_to("e1", 100)

    found = HighWater(tmp_path / "new")

    assert [found.has_passed("e1", gseq) for gseq in (99, 100, 101)] == [True, False, False]


def test_marks_only_rise(tmp_path: Path) -> None:
    HighWater(tmp_path).raise_to("e1", 100)
    HighWater(tmp_path).raise_to("e1", 50)

    assert HighWater(tmp_path).has_passed("e1", 99)


def test_each_epoch_has_a_mark_of_its_own(tmp_path: Path) -> None:
    marks = HighWater(tmp_path)
    for epoch, gseq in (("e1", 100), ("e2", 7)):
        marks.raise_to(epoch, gseq)

    # An old copy that is put back a second time is of the first epoch again.
    assert [marks.has_passed(*at) for at in (("e1", 99), ("e2", 7), ("e2", 6), ("e3", 0))] == [
        *(True, False, True, False)
    ]


def test_only_the_newest_epochs_are_kept(tmp_path: Path) -> None:
    marks = HighWater(tmp_path)
    for number in range(EPOCHS_MAX + 1):
        marks.raise_to(f"e{number}", 10)
        marks.raise_to("e1", 10 + number)

    assert not marks.has_passed("e0", 5)
    assert marks.has_passed("e1", 5)
    assert marks.has_passed(f"e{EPOCHS_MAX}", 5)


@pytest.mark.parametrize("content", [b"", b"\0" * 20, b'{"e1": "x"}', b"[]", b'{"e1": 1'])
def test_a_file_that_cannot_be_understood_is_believed_to_say_the_worst(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / FILE).write_bytes(content)
    marks = HighWater(tmp_path)
    assert marks.has_passed("e1", 10**9)

    marks.raise_to("e1", 5)

    assert not marks.has_passed("e1", 5)


def test_threads_that_write_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    marks = HighWater(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda gseq: marks.raise_to("e1", gseq), range(200)))

    assert marks.has_passed("e1", 198)
    assert not marks.has_passed("e1", 199)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
