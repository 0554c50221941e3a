"""What the health probes answer."""

import msgspec


class Health(msgspec.Struct, frozen=True):
    """``status`` is ok or failing; ``problems`` says why, one sentence each."""

    status: str
    problems: list[str]
