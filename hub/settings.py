"""One frozen ``Settings``, read once from ``HUB_*``; units are in the names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, get_args
from urllib.parse import urlsplit

import msgspec

from hub import addresses
from hub.addresses import Network, PublicUrl
from hub.errors import InvalidInput
from hub.mail import MailServer, is_address, server_of

PREFIX = "HUB_"
SQLITE = "sqlite:///"
REDIS = ("redis", "rediss", "unix")

CLIENT_VARIABLES = frozenset({"url", "token"})
"""``HUB_URL`` and ``HUB_TOKEN`` are for commands that call a hub, and no settings of one."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Silence = Annotated[int, msgspec.Meta(ge=12, le=2_592_000)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Workers = Annotated[int, msgspec.Meta(ge=1, le=64)]
Pool = Annotated[int, msgspec.Meta(ge=2, le=100)]


class BadSettings(InvalidInput):
    """The settings cannot be used."""

    code = "bad_settings"


def says(text: str) -> msgspec.Meta:
    """Return what a setting means, for people."""
    return msgspec.Meta(description=text)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be chosen from outside; each field is the variable ``HUB_<NAME>``.

    What a field ``says`` stands in the README's table and in ``hub serve --help``.
    """

    host: Annotated[str, says("address to listen on")] = "127.0.0.1"
    port: Annotated[Port, says("port to listen on; 0 takes a free one")] = 8000
    data: Annotated[str, says("folder of the database file, the outputs and the lock")] = (
        "./hub-data"
    )
    database_url: Annotated[
        str, says("postgresql://user:password@host/name; empty is one SQLite file")
    ] = ""
    database_pool: Annotated[Pool, says("PostgreSQL: pooled connections of each process")] = 8
    redis_url: Annotated[
        str, says("redis://host:port/0, through which several processes tell each other of news")
    ] = ""
    workers: Annotated[Workers, says("processes; more than one need PostgreSQL")] = 1
    admin_password: Annotated[
        str, says("of `admin`, at the first start; empty makes one and prints it")
    ] = ""
    anonymous_watch: Annotated[
        bool, says("let anybody open a plain job socket (old browser clients)")
    ] = False
    cors_origins: Annotated[str, says("comma-separated origins that may call from a browser")] = ""
    public_url: Annotated[
        str, says("where browsers reach the hub: https://host/path; empty is only on this machine")
    ] = ""
    allowed_origins: Annotated[
        str, says("comma-separated origins whose pages may use the session cookie, besides its own")
    ] = ""
    trusted_proxies: Annotated[
        str,
        says("comma-separated addresses or networks of proxies whose X-Forwarded-* are believed"),
    ] = ""
    access_token_s: Annotated[Positive, says("life of an access token, in seconds")] = 3_600
    refresh_token_s: Annotated[Positive, says("life of a refresh token, in seconds")] = 28_800
    list_max: Annotated[Positive, says("most rows that one POST …/list answers")] = 10_000
    max_body_bytes: Annotated[Positive, says("largest JSON body, in bytes")] = 1_048_576
    max_output_bytes: Annotated[NotNegative, says("largest output, in bytes; 0 is no limit")] = 0
    quarantine_bytes: Annotated[
        NotNegative,
        says("largest upload of a node that lost its job to keep apart, in bytes; 0 keeps none"),
    ] = 67_108_864
    quarantine_s: Annotated[
        Positive, says("how long such uploads are kept for an administrator, in seconds")
    ] = 604_800
    lost_after_s: Annotated[
        Silence,
        says("silence that loses a node its job, in seconds; a twelfth makes it suspect"),
    ] = 3_600
    max_sockets: Annotated[
        Positive, says("most WebSockets and streams open at once in each process")
    ] = 20_000
    ring_events: Annotated[Positive, says("newest events kept in memory for watchers")] = 16_384
    smtp_url: Annotated[
        str, says("smtp://user:password@host:port or smtps://…, to send e-mail; empty sends none")
    ] = ""
    smtp_from: Annotated[str, says("address that e-mail comes from")] = "hub@localhost"
    stop_s: Annotated[Positive, says("longest graceful stop, in seconds")] = 8
    log_level: Annotated[str, says("debug, info, warning or error")] = "info"

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
    def database_file(self) -> Path | None:
        """The SQLite file that this process alone may use, ``None`` with PostgreSQL."""
        if not self.database.startswith(SQLITE):
            return None
        return Path(self.database.removeprefix(SQLITE)).expanduser().resolve()

    @property
    def mail_server(self) -> MailServer | None:
        """Where e-mail is handed in, ``None`` when none is sent."""
        return server_of(self.smtp_url) if self.smtp_url else None

    @property
    def public(self) -> PublicUrl | None:
        """Where browsers reach the hub, ``None`` when that was not said."""
        return addresses.public_url(self.public_url) if self.public_url else None

    @property
    def path_prefix(self) -> str:
        """The path below which browsers reach the hub, empty when there is none."""
        return self.public.prefix if self.public else ""

    @property
    def page_origins(self) -> frozenset[str]:
        """Origins besides the hub's own whose pages may use the session cookie."""
        return addresses.origins(self.allowed_origins)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """Where the proxies are that are believed."""
        return addresses.networks(self.trusted_proxies)

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.database_file is not None


ADDRESSES: dict[str, Callable[[Settings], object]] = {
    "public_url": lambda settings: settings.public,
    "allowed_origins": lambda settings: settings.page_origins,
    "trusted_proxies": lambda settings: settings.proxy_networks,
}
"""What reads each setting that holds addresses."""


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
    if not settings.database.startswith((SQLITE, "postgresql://", "postgres://")):
        raise BadSettings("HUB_DATABASE_URL starts with postgresql:// or sqlite:///")
    _check_processes(settings)
    _check_mail(settings)
    for name, read in ADDRESSES.items():
        try:
            read(settings)
        except ValueError as error:
            raise BadSettings(f"HUB_{name.upper()}: {error}") from None
    return settings


def _check_processes(settings: Settings) -> None:
    if settings.workers > 1 and settings.is_embedded:
        raise BadSettings(
            "one SQLite file takes one process: several workers need PostgreSQL (HUB_DATABASE_URL)"
        )
    try:
        is_redis = not settings.redis_url or urlsplit(settings.redis_url).scheme in REDIS
        urlsplit(settings.redis_url).port  # noqa: B018  # the property reads the number
    except ValueError as error:
        raise BadSettings(f"HUB_REDIS_URL: {error}") from None
    if not is_redis:
        raise BadSettings("HUB_REDIS_URL starts with redis://, rediss:// or unix://")


def _check_mail(settings: Settings) -> None:
    try:
        settings.mail_server  # noqa: B018  # the property reads the URL
    except ValueError as error:
        raise BadSettings(f"HUB_SMTP_URL: {error}") from None
    if not is_address(settings.smtp_from):
        raise BadSettings("HUB_SMTP_FROM is one plain address, like hub@example.org")


def described() -> list[tuple[str, str, str]]:
    """Return variable, default (empty when there is none) and meaning of every setting."""
    return [
        (f"{PREFIX}{field.name.upper()}", _shown(field.default), _meaning(field.type))
        for field in msgspec.structs.fields(Settings)
    ]


def _shown(default: object) -> str:
    return str(int(default)) if isinstance(default, bool) else str(default)


def _meaning(annotated: object) -> str:
    metas = get_args(annotated)[1:]
    return next((meta.description for meta in metas if meta.description), "")
