"""Who a token stands for."""

import msgspec

from hub.auth.permissions import Role
from hub.lifecycle.commands import Actor


class Identity(msgspec.Struct, frozen=True, gc=False):
    """The account behind a request, and the session its token belongs to.

    ``expires_us`` is when that ends by itself, ``None`` for never.
    """

    account: int
    username: str
    role: Role
    session: str
    token: int
    expires_us: int | None = None

    @property
    def is_admin(self) -> bool:
        """Whether this is an administrator."""
        return self.role == Role.ADMIN

    def actor(self, node: int | None = None, address: str | None = None) -> Actor:
        """Return this identity as the rules know it, acting as ``node`` or as itself."""
        return Actor(self.account, self.is_admin, node, self.session, address)


ANONYMOUS = Identity(account=0, username="", role=Role.VIEWER, session="", token=0)
"""A watcher that nobody signed in, where anonymous watching is on; it may only read."""
