"""Pages that may use the session cookie: by their exact origin, scheme and host and port.

A browser sends its cookies along with whatever any page asks for, and lets every page open a
WebSocket anywhere; what it cannot be made to lie about is the ``Origin`` of the page.
"""

from collections.abc import Iterable

from hub.addresses import local_origins
from hub.errors import Forbidden


class OriginRefused(Forbidden):
    """Pages of this origin may not use the session cookie."""

    code = "origin_refused"


class Origins:
    """The origins that are allowed.

    Args:
        own: That of the hub's public URL; ``None`` allows the addresses that pages of this hub have
            in a browser on the same machine.
        others: Further origins, as browsers write them.
    """

    def __init__(self, own: str | None, others: Iterable[str] = ()) -> None:
        self._is_local = own is None
        self._listed = frozenset(others) | ({own} if own is not None else set())

    def allows(self, origin: str, port: int | None) -> bool:
        """Whether pages of ``origin`` may, at a hub that listens on ``port``.

        Nothing is normalised here: browsers write an origin in one way only.
        """
        if origin in self._listed:
            return True
        return self._is_local and port is not None and origin in local_origins(port)

    def check(self, origin: str, port: int | None) -> None:
        """Refuse an origin that is not allowed.

        Raises:
            OriginRefused: it is not.
        """
        if not self.allows(origin, port):
            raise OriginRefused
