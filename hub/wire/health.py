"""What the health probes answer."""

import msgspec


class Health(msgspec.Struct, frozen=True):
    """``status`` is ok, degraded or failing; ``problems`` says why, one sentence each.

    A hub that is degraded does all of its work, some of it later than it could.
    """

    status: str
    problems: list[str]
