"""Close codes: the range says what a client has to do, so that it can obey codes it never met."""

from enum import Enum, IntEnum

SUBPROTOCOL = "hub.v1"
"""Name of this language in a WebSocket handshake."""

TICKET_PREFIX = "hub.ticket."
"""What a browser puts in front of its one-use ticket to offer it as a second subprotocol."""


class Close(IntEnum):
    """Codes with which the hub closes, and ``GAP``, with which a client does."""

    BAD_MESSAGE = 4000
    FORBIDDEN = 4003
    NOT_FOUND = 4004
    BAD_SUBPROTOCOL = 4006
    DUPLICATE_ID = 4009
    UNAUTHENTICATED = 4101
    AUTH_TIMEOUT = 4108
    REVOKED = 4110
    SLOW = 4200
    TOO_MANY = 4208
    OVERLOADED = 4213
    GAP = 4290
    DRAIN = 4300
    REBALANCE = 4301
    GOING_AWAY = 1001
    RESTARTING = 1012


class Advice(Enum):
    """What a client does after a close."""

    STOP = "stop"
    """Give up: the same again would end the same way."""

    RENEW = "renew"
    """Get new credentials, then connect again."""

    BACK_OFF = "back off"
    """Wait, longer each time and with jitter, then resume from the cursor."""

    RECONNECT = "reconnect"
    """Wait as long as the last notice said, then resume from the cursor."""


_RANGES = (
    (range(4000, 4100), Advice.STOP),
    (range(4100, 4200), Advice.RENEW),
    (range(4200, 4300), Advice.BACK_OFF),
    (range(4300, 4400), Advice.RECONNECT),
)


def advice(code: int) -> Advice:
    """Return what a client does after a close with ``code``; what no range says: back off."""
    for codes, advised in _RANGES:
        if code in codes:
            return advised
    return Advice.BACK_OFF
