"""Late uploads on the wire."""

import msgspec


class QuarantinedOut(msgspec.Struct, frozen=True):
    """Bytes that a node brought after it had lost the job; ``url`` is where they can be had."""

    pk: int
    job: int
    node: int
    account: int
    name: str
    type: str
    size: int
    sha256: str
    time: str
    url: str


class QuarantineOut(msgspec.Struct, frozen=True):
    """All that is kept of one job, newest first."""

    items: list[QuarantinedOut]
