"""One frozen ``Settings``, read once from ``HUB_*``; units are in the names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from hub.errors import InvalidInput

PREFIX = "HUB_"

CLIENT_VARIABLES = frozenset({"url", "token"})
"""``HUB_URL`` and ``HUB_TOKEN`` are for commands that call a hub, and no settings of one."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class BadSettings(InvalidInput):
    """The settings cannot be used."""

    code = "bad_settings"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be chosen from outside; each field is the variable ``HUB_<NAME>``.

    The comment behind a field is what the README's table says about it.
    """

    host: str = "127.0.0.1"  # address to listen on
    port: Port = 8000  # port to listen on; 0 takes a free one
    data: str = "./hub-data"  # folder of the database file, the outputs and the lock
    database_url: str = ""  # postgresql://user:password@host/name; empty is one SQLite file
    admin_password: str = ""  # of `admin`, at the first start; empty makes one and prints it
    anonymous_watch: bool = False  # let anybody open a plain job socket (old browser clients)
    cors_origins: str = ""  # comma-separated origins that may call from a browser
    access_token_s: Positive = 3_600  # life of an access token, in seconds
    refresh_token_s: Positive = 28_800  # life of a refresh token, in seconds
    list_max: Positive = 10_000  # most rows that one POST …/list answers
    max_body_bytes: Positive = 1_048_576  # largest JSON body, in bytes
    max_output_bytes: NotNegative = 0  # largest output, in bytes; 0 is no limit
    max_sockets: Positive = 20_000  # most WebSockets open at once
    ring_events: Positive = 16_384  # newest events kept in memory for watchers
    stop_s: Positive = 8  # longest graceful stop, in seconds
    log_level: str = "info"  # debug, info, warning or error

    @property
    def data_dir(self) -> Path:
        """The data folder as an absolute path."""
        return Path(self.data).expanduser().resolve()

    @property
    def outputs_dir(self) -> Path:
        """Where result bytes live."""
        return self.data_dir / "outputs"

    @property
    def database(self) -> str:
        """The database URL in force: the one given, or the SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'hub.sqlite3'}"

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a SQLite file that this process alone may use."""
        return self.database.startswith("sqlite:")


def load(environ: Mapping[str, str], **overrides: str | int | bool | None) -> Settings:
    """Read the settings from ``environ``; an override that is not ``None`` wins.

    Raises:
        BadSettings: an unknown ``HUB_`` name, or a value of the wrong kind or range.
    """
    named = {k[len(PREFIX) :].lower(): v for k, v in environ.items() if k.startswith(PREFIX)}
    named = {name: value for name, value in named.items() if name not in CLIENT_VARIABLES}
    given = {**named, **{k: v for k, v in overrides.items() if v is not None}}
    unknown = sorted(set(given) - set(Settings.__struct_fields__))
    if unknown:
        names = ", ".join(PREFIX + name.upper() for name in unknown)
        raise BadSettings(f"unknown setting: {names}; `hub serve --help` lists the known ones")
    try:
        settings = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadSettings(f"bad setting: {error}") from error
    if settings.log_level not in {"debug", "info", "warning", "error"}:
        raise BadSettings("HUB_LOG_LEVEL is one of debug, info, warning, error")
    if not settings.database.startswith(("sqlite:", "postgresql:", "postgres:")):
        raise BadSettings("HUB_DATABASE_URL starts with sqlite: or postgresql:")
    return settings
