"""What an account may be: pure rules about names, passwords, roles, and the audit of a change."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from hub.auth.passwords import LONGEST, SHORTEST
from hub.auth.permissions import Role
from hub.errors import HubError, InvalidInput, Kind
from hub.lifecycle.auditing import entry
from hub.lifecycle.commands import Actor
from hub.wire.accounts import UserPatchIn
from orm.queries.accounts import UserRow
from orm.rows import AuditEntry

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Characters that break a line of a mail or a terminal, and NUL, which PostgreSQL cannot store."""

PERSONAL = ("username", "first_name", "last_name", "email")


class LastAdmin(HubError):
    """This is the last active administrator: make another one first."""

    kind = Kind.CONFLICT
    code = "last_admin"


def username_problem(username: str) -> str | None:
    """Say what is wrong with a name; all digits would be a number in ``/v1/users/{who}``."""
    if not 1 <= len(username) <= 150:
        return "Ensure this field has 1 to 150 characters."
    if not username.isprintable() or "/" in username:
        return "Use printable characters, and no slash."
    if username.isdigit():
        return "A name of digits alone would be taken for a number."
    return None


def password_problem(password: str) -> str | None:
    """Say what is wrong with a new password."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"Ensure this field has {SHORTEST} to {LONGEST} characters."
    return None


def weak_password(password: str) -> bool:
    """Whether a password is too short for a hub that others on the network can reach."""
    return len(password) < SHORTEST


def _text_problem(text: str) -> str | None:
    return "Control characters are not allowed." if CONTROL.search(text) else None


PROBLEM_OF: dict[str, Callable[[str], str | None]] = {
    "username": username_problem,
    "password": password_problem,
    "first_name": _text_problem,
    "last_name": _text_problem,
    "email": _text_problem,
}


def check(asked: UserPatchIn) -> None:
    """Refuse what no account may be.

    Raises:
        InvalidInput: every member that is wrong, with the reason.
    """
    found = {
        name: problem(getattr(asked, name))
        for name, problem in PROBLEM_OF.items()
        if _given(asked, name)
    }
    if _given(asked, "role") and _given(asked, "is_staff"):
        agree = asked.is_staff == (asked.role == "admin")
        found["is_staff"] = None if agree else "This contradicts role."
    fields = {name: [text] for name, text in found.items() if text}
    if fields:
        raise InvalidInput(f"no account can have this: {', '.join(fields)}", fields=fields)


def _given(asked: UserPatchIn, name: str) -> bool:
    return getattr(asked, name) is not UNSET


def blank(now_us: int) -> UserRow:
    """Return what a new account is before anything was said about it."""
    return UserRow(
        pk=0,
        username="",
        password_hash="",
        role=Role.USER,
        first_name="",
        last_name="",
        email="",
        joined_us=now_us,
        last_login_us=None,
        disabled_us=None,
    )


def applied(row: UserRow, asked: UserPatchIn, now_us: int) -> UserRow:
    """Return ``row`` with what was asked for; the password is not looked at."""
    given = {name: getattr(asked, name) for name in PERSONAL if _given(asked, name)}
    disabled_us = row.disabled_us
    if asked.is_active is True:
        disabled_us = None
    elif asked.is_active is False and disabled_us is None:
        disabled_us = now_us
    return msgspec.structs.replace(
        row, **given, role=_role(row.role, asked), disabled_us=disabled_us
    )


def _role(present: str, asked: UserPatchIn) -> str:
    if asked.role is not UNSET:
        return asked.role
    if asked.is_staff is True:
        return Role.ADMIN
    return Role.USER if asked.is_staff is False and present == Role.ADMIN else present


def keep_an_admin(before: UserRow, after: UserRow, locked: dict[int, UserRow]) -> None:
    """Refuse a change after which nobody could administer the hub.

    Raises:
        LastAdmin: ``before`` is the only active administrator among ``locked``, ``after`` is none.
    """
    if before.is_active_admin and not after.is_active_admin:
        others = (row for pk, row in locked.items() if pk != before.pk)
        if not any(row.is_active_admin for row in others):
            raise LastAdmin


def ends_sign_ins(before: UserRow, after: UserRow) -> bool:
    """Whether what the account signed in to before must end for good.

    A disabled account's tokens are refused as such, which clients can tell from other reasons; they
    end when it is enabled again, lest they come back to life.
    """
    is_enabled = before.disabled_us is not None and after.disabled_us is None
    return is_enabled or before.password_hash != after.password_hash


def acts(actor: Actor, before: UserRow | None, after: UserRow) -> list[AuditEntry]:
    """Return what the audit says about a change: nothing about nothing, and never a hash."""
    if before is None:
        return [entry(actor, "users.create", "user", after.pk, after=_shown(after))]
    entries = []
    old, new = _shown(before), _shown(after)
    changed = [name for name in new if new[name] != old[name]]
    if changed:
        was, is_now = ({name: row[name] for name in changed} for row in (old, new))
        entries.append(entry(actor, _action(was, is_now), "user", after.pk, was, is_now))
    if before.password_hash != after.password_hash:
        entries.append(entry(actor, "users.password", "user", after.pk))
    return entries


def _action(was: dict[str, Any], is_now: dict[str, Any]) -> str:
    match was.get("is_active"), is_now.get("is_active"):
        case True, False:
            return "users.disable"
        case False, True:
            return "users.enable"
        case _:
            return "users.update"


def _shown(row: UserRow) -> dict[str, Any]:
    personal = {name: getattr(row, name) for name in PERSONAL}
    return {**personal, "role": row.role, "is_active": row.disabled_us is None}
