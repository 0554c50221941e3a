"""Accounts and their tokens.

Whoever changes several rows locks in this order: accounts by pk, then tokens, then the audit's
clock row.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict

from orm.engine import Engine
from orm.errors import translated
from orm.postgres import Transaction as ServerTransaction
from orm.queries.batch import in_order, marks
from orm.sqlite import Transaction as EmbeddedTransaction
from orm.tables import Token, User

Transaction = EmbeddedTransaction | ServerTransaction
Source = Engine | Transaction
"""Where to read: the engine, or inside a transaction what this transaction sees."""


class TokenRow(msgspec.Struct, frozen=True):
    """A token with what its account says about it."""

    pk: int
    kind: str
    account: int
    session: str
    expires_us: int | None
    revoked_us: int | None
    username: str
    role: str
    disabled_us: int | None


class NamedTokenRow(msgspec.Struct, frozen=True):
    """A long-lived token as its owner sees it; there is no way back to its text."""

    pk: int
    account: int
    name: str
    created_us: int
    expires_us: int | None
    revoked_us: int | None


class UserRow(msgspec.Struct, frozen=True):
    """An account as it is stored, hash included."""

    pk: int
    username: str
    password_hash: str
    role: str
    first_name: str
    last_name: str
    email: str
    joined_us: int
    last_login_us: int | None
    disabled_us: int | None
    has_short_password: int = 0

    @property
    def is_active_admin(self) -> bool:
        """Whether this account can administer the hub now."""
        return self.role == "admin" and self.disabled_us is None


_TOKEN = """
SELECT t.pk, t.kind, t.account, t.session, t.expires_us, t.revoked_us, u.username, u.role,
u.disabled_us FROM tokens t JOIN users u ON u.pk = t.account WHERE t.sha256 = ?"""
_SESSION = """
SELECT t.pk, t.kind, t.account, t.session, t.expires_us, t.revoked_us, u.username, u.role,
u.disabled_us FROM tokens t JOIN users u ON u.pk = t.account WHERE t.account = ? AND t.session = ?
AND t.revoked_us IS NULL AND (t.expires_us IS NULL OR t.expires_us > ?)
ORDER BY COALESCE(t.expires_us, 9223372036854775807) DESC LIMIT 1"""
_NAMED = f"SELECT {', '.join(NamedTokenRow.__struct_fields__)} FROM tokens WHERE kind = 'api'"
_USERS = f"SELECT {', '.join(UserRow.__struct_fields__)} FROM users"
_DEAD = "SELECT pk FROM tokens WHERE expires_us < ? OR revoked_us < ? ORDER BY pk LIMIT ?"


async def token(source: Source, sha256: str) -> TokenRow | None:
    """Return the token with this hash."""
    rows = await source.fetch(_TOKEN, (sha256,))
    return TokenRow(*rows[0]) if rows else None


async def session(source: Source, account: int, session: str, now_us: int) -> TokenRow | None:
    """Return the token of a session that lives longest, ``None`` when none lives any more."""
    rows = await source.fetch(_SESSION, (account, session, now_us))
    return TokenRow(*rows[0]) if rows else None


async def add_token(
    engine: Engine,
    *,
    kind: str,
    sha256: str,
    account: int,
    session: str,
    name: str,
    created_us: int,
    expires_us: int | None,
) -> int:
    """Store a token, in the transaction that is open if there is one, and return its number."""
    del engine  # the tables are bound to it
    row = Token(
        kind=kind,
        sha256=sha256,
        account=account,
        session=session,
        name=name,
        created_us=created_us,
        expires_us=expires_us,
    )
    with translated():
        inserted = await Token.insert(row)
    return int(inserted[0]["pk"])


async def named_tokens(source: Source, account: int | None, limit: int) -> list[NamedTokenRow]:
    """Return long-lived tokens that are not revoked: of one account or, with ``None``, of all."""
    whose, values = ("", ()) if account is None else (" AND account = ?", (account,))
    sql = f"{_NAMED} AND revoked_us IS NULL{whose} ORDER BY pk LIMIT ?"
    return [NamedTokenRow(*row) for row in await source.fetch(sql, (*values, limit))]


async def lock_named_token(transaction: Transaction, pk: int) -> NamedTokenRow | None:
    """Return long-lived token ``pk``, revoked or not, and keep others from changing it."""
    rows = await transaction.fetch(f"{_NAMED} AND pk = ?{transaction.row_lock}", (pk,))
    return NamedTokenRow(*rows[0]) if rows else None


async def revoke_token(pk: int, now_us: int) -> None:
    """Make one token worthless."""
    with translated():
        await Token.update({Token.revoked_us: now_us}).where(Token.pk == pk)


async def revoke_sign_ins(account: int, now_us: int) -> None:
    """Make every token worthless that the account got by signing in."""
    with translated():
        await Token.update({Token.revoked_us: now_us}).where(
            Token.account == account,
            Token.kind.is_in(["access", "refresh", "cookie"]),
            Token.revoked_us.is_null(),
        )


async def revoke_session(account: int, session: str, now_us: int) -> None:
    """Make every token of a session worthless."""
    with translated():
        await Token.update({Token.revoked_us: now_us}).where(
            Token.account == account, Token.session == session, Token.revoked_us.is_null()
        )


async def remove_oldest_access(
    transaction: Transaction, account: int, session: str, *, keep: int
) -> None:
    """Remove the access tokens of a session but for the ``keep`` newest."""
    own = "account = ? AND session = ? AND kind = 'access'"
    newest = f"SELECT pk FROM tokens WHERE {own} ORDER BY pk DESC LIMIT ?"
    sql = f"DELETE FROM tokens WHERE {own} AND pk NOT IN ({newest})"
    await transaction.fetch(sql, (account, session, account, session, keep))


async def remove_dead_tokens(transaction: Transaction, before_us: int, limit: int) -> int:
    """Remove up to ``limit`` tokens that ended before a moment; return how many."""
    sql = f"DELETE FROM tokens WHERE pk IN ({_DEAD}) RETURNING pk"
    return len(await transaction.fetch(sql, (before_us, before_us, limit)))


async def any_user(source: Source) -> bool:
    """Whether there is an account at all."""
    return bool(await source.fetch("SELECT 1 FROM users LIMIT 1"))


async def user_by_name(source: Source, username: str) -> UserRow | None:
    """Return the account with this name, disabled or not."""
    rows = await source.fetch(f"{_USERS} WHERE username = ?", (username,))
    return UserRow(*rows[0]) if rows else None


async def user(source: Source, pk: int) -> UserRow | None:
    """Return the account with this number, disabled or not."""
    rows = await source.fetch(f"{_USERS} WHERE pk = ?", (pk,))
    return UserRow(*rows[0]) if rows else None


async def users(source: Source, pks: Sequence[int]) -> list[UserRow]:
    """Return the accounts with these numbers, in that order; what is not there is left out."""
    if not pks:
        return []
    rows = await source.fetch(f"{_USERS} WHERE pk IN ({marks(len(pks))})", tuple(pks))
    return in_order(pks, [UserRow(*row) for row in rows])


async def all_users(source: Source, *, include_inactive: bool) -> list[UserRow]:
    """Return every account by number; disabled ones only if asked for."""
    where = "" if include_inactive else " WHERE disabled_us IS NULL"
    return [UserRow(*row) for row in await source.fetch(f"{_USERS}{where} ORDER BY pk")]


async def with_short_passwords(source: Source) -> list[str]:
    """Return the active accounts whose password is too short for a hub that others can reach."""
    sql = "SELECT username FROM users WHERE has_short_password = 1 AND disabled_us IS NULL"
    return [name for (name,) in await source.fetch(sql)]


async def lock_user(transaction: Transaction, pk: int) -> UserRow | None:
    """Return account ``pk`` and keep others from changing it until the transaction ends."""
    rows = await transaction.fetch(f"{_USERS} WHERE pk = ?{transaction.row_lock}", (pk,))
    return UserRow(*rows[0]) if rows else None


async def lock_user_and_admins(transaction: Transaction, pk: int) -> dict[int, UserRow]:
    """Return account ``pk`` and all active administrators, and keep others from changing them.

    In one statement: two administrators who demote each other must not each wait for the other.
    """
    sql = f"{_USERS} WHERE pk = ? OR (role = 'admin' AND disabled_us IS NULL) ORDER BY pk"
    rows = await transaction.fetch(sql + transaction.row_lock, (pk,))
    return {row[0]: UserRow(*row) for row in rows}


async def add_user(row: UserRow) -> UserRow | None:
    """Store an account, whose ``pk`` is made here; ``None`` when its name is taken."""
    columns = {name: value for name, value in asdict(row).items() if name != "pk"}
    with translated():
        added = await User.insert(User(None, False, False, **columns)).on_conflict(
            target=User.username, action="DO NOTHING"
        )
    return msgspec.structs.replace(row, pk=added[0]["pk"]) if added else None


async def signed_in(pk: int, password_hash: str, now_us: int) -> None:
    """Store when an account signed in, and the hash of its password as it is made today."""
    with translated():
        await User.update({User.last_login_us: now_us, User.password_hash: password_hash}).where(
            User.pk == pk
        )


async def store_user(row: UserRow) -> None:
    """Store what can change about an account.

    Raises:
        NotUnique: its name is taken.
    """
    columns = {name: value for name, value in asdict(row).items() if name != "pk"}
    with translated():
        await User.update(columns).where(User.pk == row.pk)  # type: ignore[arg-type]  # names do, too
