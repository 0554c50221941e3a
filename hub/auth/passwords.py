"""Password hashes: argon2id, a few at a time, never on the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's password storage sheet: argon2id with 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="argon2")

SHORTEST = 8
LONGEST = 128

_NOBODY = _HASHER.hash("a password that no account has")


async def hashed(password: str) -> str:
    """Return the hash to store for ``password``."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether ``password`` is the one behind the hash.

    ``None`` stands for an account that is not there, and takes as long as one that is.
    """

    def check() -> bool:
        try:
            _HASHER.verify(password_hash or _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    return await asyncio.get_running_loop().run_in_executor(_THREADS, check)


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with other settings than today's."""
    return _HASHER.check_needs_rehash(password_hash)
