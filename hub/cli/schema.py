"""The database made ready for this program: schema, clock row, first administrator."""

from hub import clock
from hub.auth.accounts import Accounts
from hub.auth.tokens import Tokens
from hub.errors import Conflict, Forbidden
from hub.outputs.place import place_of
from hub.settings import Settings
from orm.engine import Engine, bind
from orm.membership import Membership, OtherPlace
from orm.migrate import SchemaState, migrate, state
from orm.postgres import BESIDE_THE_POOL, ServerEngine, connections_allowed
from orm.queries import accounts, meta

TOO_NEW = "the database belongs to a newer hub; upgrade this one"


class WeakPassword(Forbidden):
    """A hub that others can reach needs passwords of at least 8 characters."""

    code = "weak_password"


class SchemaOutdated(Conflict):
    """The database has another schema than this program needs."""

    code = "schema_outdated"


class OutputsElsewhere(Conflict):
    """Another hub on this database keeps its outputs in another folder."""

    code = "outputs_elsewhere"


class TooManyConnections(Conflict):
    """PostgreSQL allows fewer connections than the workers may want."""

    code = "too_many_connections"


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


async def check_connections(engine: Engine, settings: Settings) -> None:
    """Refuse more connections than PostgreSQL has, before they are missing in the middle of work.

    Raises:
        TooManyConnections: the workers could not all have those that they may want.
    """
    if not isinstance(engine, ServerEngine):
        return
    needed = settings.workers * (settings.database_pool + BESIDE_THE_POOL)
    allowed = await connections_allowed(engine)
    if needed > allowed:
        raise TooManyConnections(
            f"HUB_WORKERS={settings.workers} with HUB_DATABASE_POOL={settings.database_pool} take "
            f"up to {needed} connections, and PostgreSQL allows {allowed}: lower one of them, or "
            "raise its max_connections"
        )


async def check_outputs(engine: Engine, settings: Settings) -> None:
    """Refuse to be one of several hubs that do not find each other's outputs.

    Raises:
        OutputsElsewhere: another one that runs has a folder of its own for them.
    """
    if settings.is_embedded:
        return
    try:
        async with Membership(engine, place_of(settings.outputs_dir)).announced():
            pass
    except OtherPlace as error:
        raise OutputsElsewhere(
            "another hub on this database keeps its outputs elsewhere, and neither would find the "
            f"other's: all need one shared folder, and {settings.outputs_dir} is not it (HUB_DATA)"
        ) from error


async def _refuse_short_passwords(engine: Engine) -> None:
    names = await accounts.with_short_passwords(engine)
    if names:
        raise WeakPassword(
            f"{', '.join(names)}: passwords of fewer than 8 characters are for loopback only; "
            "choose a longer one (`hub user password`) before you listen beyond it"
        )
