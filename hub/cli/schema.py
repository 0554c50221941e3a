"""The database made ready for this program: schema, clock row, first administrator."""

from hub import clock
from hub.auth.accounts import Accounts
from hub.auth.tokens import Tokens
from hub.errors import Conflict, Forbidden
from hub.settings import Settings
from orm.engine import Engine, bind
from orm.migrate import SchemaState, migrate, state
from orm.queries import accounts, meta

TOO_NEW = "the database belongs to a newer hub; upgrade this one"


class WeakPassword(Forbidden):
    """A hub that others can reach needs passwords of at least 8 characters."""

    code = "weak_password"


class SchemaOutdated(Conflict):
    """The database has another schema than this program needs."""

    code = "schema_outdated"


async def prepare(engine: Engine, settings: Settings, *, is_loopback: bool = True) -> str | None:
    """Bring the database to this program's schema, with a first administrator.

    Returns:
        That administrator's password if this made the account, else ``None``.

    An embedded database, or an empty one, is migrated here; a PostgreSQL database of an older
    schema is left to ``hub migrate``, since other processes may be using it.

    Raises:
        SchemaOutdated: ``hub migrate`` must run first, or the program is too old for the database.
    """
    bind(engine)
    found = await state(engine)
    if found == SchemaState.NEWER:
        raise SchemaOutdated(TOO_NEW)
    if found == SchemaState.OLDER and not settings.is_embedded:
        raise SchemaOutdated("the database has an older schema; run `hub migrate` first")
    if found != SchemaState.CURRENT:
        await migrate(engine)
    await meta.ensure(engine, clock.wall_us())
    rules = Accounts(engine, Tokens(engine, settings.access_token_s, settings.refresh_token_s))
    made = await rules.bootstrap_admin(settings.admin_password or None, allow_short=is_loopback)
    if not is_loopback:
        await _refuse_short_passwords(engine)
    return made


async def _refuse_short_passwords(engine: Engine) -> None:
    names = await accounts.with_short_passwords(engine)
    if names:
        raise WeakPassword(
            f"{', '.join(names)}: passwords of fewer than 8 characters are for loopback only; "
            "choose a longer one (`hub user password`) before you listen beyond it"
        )
