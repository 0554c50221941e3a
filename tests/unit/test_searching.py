"""What a caller is told when a search fails."""

import pytest

from hub.api.lists import searching
from hub.errors import InvalidInput, Unavailable
from orm.errors import DatabaseAway, TooSlow
from orm.filters.spec import BadFilter


@pytest.mark.parametrize(
    ("error", "told", "words"),
    [
        (TooSlow("interrupted"), Unavailable, "takes too long"),
        (BadFilter("no field x"), InvalidInput, "no field x"),
        (DatabaseAway("gone"), DatabaseAway, "gone"),
    ],
)
def test_a_filter_that_takes_too_long_is_told_from_a_bad_one(
    error: Exception, told: type[Exception], words: str
) -> None:
    with pytest.raises(told, match=words), searching("field"):
        raise error
