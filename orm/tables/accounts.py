"""Who may sign in, with what, and what they did."""

from piccolo.columns import BigInt, BigSerial, Integer, Text, Varchar
from piccolo.table import Table


class User(Table, tablename="users"):
    """An account. ``role`` is admin, user or viewer; a disabled one has ``disabled_us``.

    ``has_short_password`` is 1 for a password too short for a hub that others can reach.
    """

    pk: BigSerial = BigSerial(primary_key=True)
    username = Varchar(length=150)
    password_hash = Varchar(length=255)
    role = Varchar(length=10)
    first_name = Varchar(length=150, default="")
    last_name = Varchar(length=150, default="")
    email = Varchar(length=254, default="")
    joined_us = BigInt()
    last_login_us = BigInt(null=True, default=None)
    disabled_us = BigInt(null=True, default=None)
    has_short_password = Integer(default=0)


class Token(Table, tablename="tokens"):
    """A credential: only the SHA-256 of it is here. ``kind`` is access, refresh, api or cookie."""

    pk: BigSerial = BigSerial(primary_key=True)
    kind = Varchar(length=10)
    sha256 = Varchar(length=64)
    account = BigInt()
    session = Varchar(length=32)
    name = Varchar(length=100, default="")
    created_us = BigInt()
    expires_us = BigInt(null=True, default=None)
    revoked_us = BigInt(null=True, default=None)


class Ticket(Table, tablename="tickets"):
    """A credential for one use, of one session; only the SHA-256 of it is here.

    ``origin`` is of the page that may use it, null for any; ``job`` the job whose socket it opens,
    null for the stream of all.
    """

    pk: BigSerial = BigSerial(primary_key=True)
    sha256 = Varchar(length=64)
    account = BigInt()
    session = Varchar(length=32)
    origin = Varchar(length=255, null=True, default=None)
    job = BigInt(null=True, default=None)
    expires_us = BigInt()


class Audit(Table, tablename="audit"):
    """One privileged act; rows are only added, each hash covers the row and the hash before."""

    pk: BigSerial = BigSerial(primary_key=True)
    time_us = BigInt()
    actor = BigInt(null=True, default=None)
    session = Varchar(length=32, null=True, default=None)
    address = Varchar(length=64, null=True, default=None)
    action = Varchar(length=64)
    object_type = Varchar(length=32)
    object_pk = BigInt(null=True, default=None)
    before = Text(null=True, default=None)
    after = Text(null=True, default=None)
    hash = Varchar(length=64)
