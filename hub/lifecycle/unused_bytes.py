"""Stored bytes that no output names any more, and when they may go."""

import logging
from collections.abc import Iterable, Sequence

from hub.outputs.store import OutputStore
from orm.engine import Engine
from orm.errors import StorageError
from orm.queries import outputs
from orm.rows import OutputRow

log = logging.getLogger("hub.outputs")

# An upload's bytes are in the store before its row is in the database, so bytes without a row may
# be about to get one, from any process. Bytes that come again become young again, and a row follows
# its bytes within seconds: what is this old and has no row gets none.
SETTLED_S = 3_600.0


async def remove_unused(
    engine: Engine, store: OutputStore, sha256s: Sequence[str], *, older_than_s: float = SETTLED_S
) -> int:
    """Remove those of ``sha256s`` that no output names, unless they came lately.

    Returns:
        How many no output names; young ones among them are still there.
    """
    unused = await outputs.unused(engine, sha256s)
    for sha256 in unused:
        await store.remove(sha256, older_than_s=older_than_s)
    return len(unused)


async def forget(engine: Engine, store: OutputStore, removed: Iterable[OutputRow]) -> None:
    """Free the space of outputs whose rows were removed for good.

    The rows are gone already, so a failure is only logged: a chore finds the bytes later.
    """
    sha256s = sorted({output.sha256 for output in removed})
    try:
        await remove_unused(engine, store, sha256s)
    except (OSError, StorageError) as error:
        log.warning("bytes stay for the next sweep count=%d error=%s", len(sha256s), error)
