"""Which of several forms of an answer a request asks for (RFC 9110, 12.5.1). Pure."""

import re
from collections.abc import Sequence

_QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)


def preferred(accept: str, offered: Sequence[str]) -> str:
    """Return the media type that the request likes best; the first of equals.

    What is not well-formed counts for nothing. Whoever wants none of them gets the first: an answer
    that can be looked at helps more than 406.

    Args:
        accept: Value of the header ``Accept``; empty when there is none.
        offered: Media types in small letters.
    """
    qualities = _qualities(accept)
    return max(offered, key=lambda media_type: _quality(media_type, qualities))


def _qualities(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for item in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        weights = [text[2:] for text in parameters if text.startswith("q=")]
        if all(_QUALITY.fullmatch(weight) for weight in weights):
            found[media_range] = min(1.0, float(weights[0])) if weights else 1.0
    return found


def _quality(media_type: str, qualities: dict[str, float]) -> float:
    """Return the weight of the narrowest range that holds ``media_type``, 0 if none does."""
    main = media_type.partition("/")[0]
    ranges = (media_type, f"{main}/*", "*/*")
    return next((qualities[one] for one in ranges if one in qualities), 0.0)
