"""How many messages a client may send."""

MESSAGES_PER_S = 20
"""Messages a second, and the most at once."""

REFUSED_MAX = 20
"""How many messages too many are answered with an error; with more the client is cut off."""


class Bucket:
    """Tokens that come back with time; refused messages take them too, and so become a debt."""

    def __init__(self, now_s: float) -> None:
        self._level = float(MESSAGES_PER_S)
        self._at_s = now_s

    def take(self, now_s: float) -> None:
        """Count a message that comes at ``now_s``, in monotonic seconds."""
        grown = self._level + (now_s - self._at_s) * MESSAGES_PER_S
        self._level = min(float(MESSAGES_PER_S), grown) - 1.0
        self._at_s = now_s

    @property
    def is_empty(self) -> bool:
        """Whether the last message was one too many."""
        return self._level < 0.0

    @property
    def is_overdrawn(self) -> bool:
        """Whether the client goes on all the same."""
        return self._level < -REFUSED_MAX
