"""What a request asks for is what it gets, and nonsense is no reason to fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.accept import preferred

OWN, BATCH = "application/json", "application/cloudevents-batch+json"
OFFERED = (OWN, BATCH, "text/event-stream")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", OWN),
        ("*/*", OWN),
        ("application/*", OWN),
        ("text/html", OWN),
        ("text/html,application/xhtml+xml,*/*;q=0.8", OWN),
        (BATCH, BATCH),
        ("Application/CloudEvents-Batch+JSON", BATCH),
        (f"{BATCH};charset=utf-8", BATCH),
        (f"*/*;q=0.5, {BATCH}", BATCH),
        (f"{OWN};q=0.5,{BATCH};q=0.51", BATCH),
        (f"{OWN};q=0.5 ; x=y, {BATCH};q=0.4", OWN),
        (f"{OWN}, {BATCH}", OWN),
        (f"{OWN};q=0, */*", BATCH),
        ("application/*;q=0.1, text/*;q=0.2", "text/event-stream"),
        (f"{BATCH};q=inf", OWN),
        (f"{BATCH};q=nan", OWN),
        (f"{BATCH};q=-1", OWN),
        (f"{BATCH};q=1e9", OWN),
        (f"{BATCH};q=", OWN),
        (";;;,,,q=1,/", OWN),
    ],
)
def test_the_form_is_the_one_that_is_liked_best(accept: str, media_type: str) -> None:
    assert preferred(accept, OFFERED) == media_type


@given(st.text(alphabet="aj*/;,q=. 01-+ٱ", max_size=60))
def test_any_text_chooses_one_of_what_there_is(accept: str) -> None:
    assert preferred(accept, OFFERED) in OFFERED
