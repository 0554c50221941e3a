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


class TooSlow(DatabaseAway):
    """A reading statement took longer than it may, and was ended."""


_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a session that the server ended a moment ago
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidCatalogNameError,  # the database is not there (yet)
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TransactionRollbackError,  # a deadlock: nothing was done, and again may succeed
    asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,
    TimeoutError,
)


_SQLITE_KINDS: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_FULL: DatabaseFull,
    sqlite3.SQLITE_IOERR: DatabaseFull,
    sqlite3.SQLITE_BUSY: DatabaseAway,
    sqlite3.SQLITE_LOCKED: DatabaseAway,
    sqlite3.SQLITE_INTERRUPT: TooSlow,
    sqlite3.SQLITE_CANTOPEN: DatabaseAway,
    sqlite3.SQLITE_READONLY: DatabaseAway,
    sqlite3.SQLITE_NOMEM: DatabaseAway,
}


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
        kind = _SQLITE_KINDS.get(error.sqlite_errorcode & 0xFF)
        if kind is None:  # a statement that is wrong: a fault of ours, not of the database
            raise
        raise kind(str(error)) from error
    except _AWAY as error:
        raise DatabaseAway(str(error) or type(error).__name__) from error


def _integrity(error: Exception) -> StorageError:
    text = str(error)
    if isinstance(error, asyncpg.UniqueViolationError) or "UNIQUE" in text:
        return NotUnique(text)
    return StillReferenced(text)
