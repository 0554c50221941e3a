"""One-use tickets: stored by their hash, and gone with the first look."""

import msgspec

from orm.queries.accounts import Source, Transaction


class TicketRow(msgspec.Struct, frozen=True):
    """What a ticket is good for; see ``orm.tables.accounts.Ticket``."""

    account: int
    session: str
    origin: str | None
    job: int | None
    expires_us: int


_COLUMNS = ", ".join(TicketRow.__struct_fields__)
_ADD = f"INSERT INTO tickets (sha256, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
# Of two processes that take a row one deletes it, and only that one gets it back.
_TAKE = f"DELETE FROM tickets WHERE sha256 = ? RETURNING {_COLUMNS}"
_WAITING = "SELECT COUNT(*) FROM tickets WHERE account = ? AND expires_us > ?"
_REMOVE = """
DELETE FROM tickets WHERE pk IN
(SELECT pk FROM tickets WHERE expires_us <= ? ORDER BY expires_us LIMIT ?) RETURNING pk"""


async def add(transaction: Transaction, sha256: str, row: TicketRow) -> None:
    """Store a ticket."""
    await transaction.fetch(_ADD, (sha256, *msgspec.structs.astuple(row)))


async def waiting(transaction: Transaction, account: int, now_us: int) -> int:
    """Return how many tickets of an account can still be used."""
    rows = await transaction.fetch(_WAITING, (account, now_us))
    count: int = rows[0][0]
    return count


async def is_there(source: Source, sha256: str) -> bool:
    """Whether there is a ticket with this hash, as far as a look without a lock can tell."""
    return bool(await source.fetch("SELECT 1 FROM tickets WHERE sha256 = ?", (sha256,)))


async def take(transaction: Transaction, sha256: str) -> TicketRow | None:
    """Return the ticket with this hash, and remove it: nobody else gets it."""
    rows = await transaction.fetch(_TAKE, (sha256,))
    return TicketRow(*rows[0]) if rows else None


async def remove_old(transaction: Transaction, now_us: int, limit: int) -> int:
    """Remove up to ``limit`` tickets that can be used no longer; return how many."""
    return len(await transaction.fetch(_REMOVE, (now_us, limit)))
