"""Why a follower gives up. Everything else it lives through by itself."""


class FollowError(Exception):
    """The hub cannot be followed."""


class Refused(FollowError):
    """The hub will not tell this, and asking again would end the same way.

    Attributes:
        code: The hub's own word for it, or a close code.
        detail: A sentence for people.
    """

    def __init__(self, code: str | int, detail: str) -> None:
        self.code = code
        self.detail = detail
        super().__init__(f"{detail} ({code})")


class SignedOut(FollowError):
    """The token is not good (any more), and there is nobody to get a fresh one from."""


class BadAddress(FollowError, ValueError):
    """This is no address of a hub."""
