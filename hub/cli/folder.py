"""The data folder: made private, and locked while a process uses its SQLite file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hub.errors import Conflict
from hub.settings import Settings


class FolderInUse(Conflict):
    """Another hub process already uses this data folder."""

    code = "folder_in_use"


@contextmanager
def data_folder(settings: Settings) -> Iterator[None]:
    """Make the data folder, and keep other processes off an embedded database in it.

    Two processes on one SQLite file would each number events and wake watchers by themselves.

    Raises:
        FolderInUse: another process holds the lock.
    """
    os.umask(0o077)  # the folder may have been there before, and be open to others
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = settings.database_file
    if database is None:
        yield
        return
    # Beside the file and not in the data folder: two folders may be given one file.
    with database.with_name(f"{database.name}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise FolderInUse(
                f"{database} is in use by another hub (process {holder}); one SQLite file "
                "takes one process: stop that one, or use PostgreSQL (HUB_DATABASE_URL)"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
