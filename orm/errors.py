"""What storage can say went wrong, whichever engine it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


class StorageError(Exception):
    """The database could not do what was asked."""


class NotUnique(StorageError):
    """A row with this key is already there."""


class StillReferenced(StorageError):
    """Another row refers to this one, or this one refers to nothing."""


class DatabaseFull(StorageError):
    """The database has no room left."""


class DatabaseAway(StorageError):
    """The database does not answer, or is too busy to."""


_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,
    TimeoutError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn either driver's exceptions into ours; the cause stays attached."""
    try:
        yield
    except (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError) as error:
        raise _integrity(error) from error
    except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as error:
        raise DatabaseFull(str(error)) from error
    except sqlite3.OperationalError as error:
        is_full = "full" in str(error) or "disk I/O" in str(error)
        raise (DatabaseFull if is_full else DatabaseAway)(str(error)) from error
    except _AWAY as error:
        raise DatabaseAway(str(error) or type(error).__name__) from error


def _integrity(error: Exception) -> StorageError:
    text = str(error)
    if isinstance(error, asyncpg.UniqueViolationError) or "UNIQUE" in text:
        return NotUnique(text)
    return StillReferenced(text)
