"""How often things failed lately, by key, in bounded memory; it never asks for the time itself."""

from collections import OrderedDict, deque
from math import ceil


class Throttle:
    """Refuses a key for a while after ``limit`` failures within ``window_s`` seconds.

    Only failures count, so that many clients that share an account or an address can come at once.
    When there are more than ``keys_max`` keys, the one that failed longest ago is forgotten.

    Args:
        limit: Failures that are free.
        window_s: How long a failure counts, in seconds.
        keys_max: Most keys that are remembered.
    """

    def __init__(self, limit: int, window_s: float = 60.0, keys_max: int = 20_000) -> None:
        self._limit = limit
        self._window_s = window_s
        self._keys_max = keys_max
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait_s(self, key: str, now_s: float) -> int:
        """Return after how many whole seconds ``key`` is not refused; 0 is now."""
        failures = self._failures.get(key)
        if failures is None or len(failures) < self._limit:
            return 0
        return max(0, ceil(failures[0] + self._window_s - now_s))

    def failed(self, key: str, now_s: float) -> None:
        """Count one failure of ``key``."""
        self._failures.setdefault(key, deque(maxlen=self._limit)).append(now_s)
        self._failures.move_to_end(key)
        self._drop_old(now_s)

    def cleared(self, key: str) -> None:
        """Forget the failures of ``key``."""
        self._failures.pop(key, None)

    def _drop_old(self, now_s: float) -> None:
        while self._failures:
            key, failures = next(iter(self._failures.items()))
            if failures[-1] + self._window_s > now_s and len(self._failures) <= self._keys_max:
                return
            del self._failures[key]
