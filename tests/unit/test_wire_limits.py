import msgspec
import pytest

from hub.wire.jobs import BEGINNING_CUT, ERROR_MAX, LABELS_MAX, FinishIn, JobIn


def finish(**members: object) -> FinishIn:
    body = {"success": False, "send_notification": ""} | members
    return msgspec.json.decode(msgspec.json.encode(body), type=FinishIn)


def test_an_error_text_within_the_limit_is_kept_as_it_is() -> None:
    assert finish(error="x" * ERROR_MAX).error == "x" * ERROR_MAX


def test_of_a_longer_error_text_the_end_is_kept() -> None:
    error = finish(error="x" * ERROR_MAX + "ValueError: no").error
    assert isinstance(error, str)
    assert (len(error), error[: len(BEGINNING_CUT)]) == (ERROR_MAX, BEGINNING_CUT)
    assert error.endswith("xValueError: no")


def test_a_job_ends_with_a_bounded_number_of_outputs() -> None:
    assert len(finish(outputs=["o"] * 1_000).outputs) == 1_000
    with pytest.raises(msgspec.ValidationError, match=r"`\$\.outputs`"):
        finish(outputs=["o"] * 1_001)


def test_a_job_has_a_bounded_number_of_labels() -> None:
    labels = {str(number): "" for number in range(LABELS_MAX)}
    assert len(msgspec.convert({"template": 1, "labels": labels}, JobIn).labels) == LABELS_MAX
    with pytest.raises(msgspec.ValidationError, match=r"`\$\.labels`"):
        msgspec.convert({"template": 1, "labels": {**labels, "more": ""}}, JobIn)
