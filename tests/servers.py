"""Private PostgreSQL and Redis servers, started from the binaries that the machine has.

Each server is a process of the test run's own: on a free port of 127.0.0.1, in a temporary folder,
and gone with its folder when the ``with`` block ends. Servers that already run on the machine are
neither used nor touched.
"""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.postgres_console import Console
from tests.private_server import HOST, PrivateServer, ServerFailed, plain_environment

__all__ = [
    "PrivatePostgres",
    "PrivateRedis",
    "PrivateServer",
    "ServerFailed",
    "find_postgres",
    "find_redis",
    "require",
    "skip_reason",
]

REQUIRE_VARIABLE = "TESTS_REQUIRE_SERVERS"

POSTGRES_SETTINGS = {
    "listen_addresses": HOST,
    # TCP only: a socket file would add a limit on the length of the folder's path.
    "unix_socket_directories": "",
    "max_connections": "200",
    "logging_collector": "off",
}
HASTY_SETTINGS = {
    **{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
    "max_wal_size": "256MB",
}
MEMORY = Path("/dev/shm")
MEMORY_ROOM_BYTES = 4 << 30


def find_postgres() -> Path | None:
    """Return the folder of ``initdb``, ``postgres`` and ``psql``: from PATH, else the newest."""
    on_path = shutil.which("initdb")
    installed = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    newest_first = sorted(installed, key=lambda p: int(p.parent.name), reverse=True)
    candidates = [Path(on_path).resolve().parent, *newest_first] if on_path else newest_first
    return next((folder for folder in candidates if _holds_postgres(folder)), None)


def _holds_postgres(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("initdb", "postgres", "psql"))


def find_redis() -> Path | None:
    """Return the ``redis-server`` on PATH."""
    found = shutil.which("redis-server")
    return Path(found) if found else None


class PrivatePostgres(PrivateServer):
    """A PostgreSQL server with the superuser ``postgres``, no password, and no sockets but TCP.

    Args:
        durable: Whether a commit waits for the disk. Tests that crash the server want it; the
            others are faster without, and in memory where there is room.
    """

    title = "PostgreSQL"
    package = "postgresql"
    find = staticmethod(find_postgres)

    def __init__(self, *, durable: bool = True) -> None:
        super().__init__()
        self._console = Console()
        self._is_durable = durable
        self._settings = POSTGRES_SETTINGS if durable else POSTGRES_SETTINGS | HASTY_SETTINGS

    def url(self, name: str = "postgres") -> str:
        """Return the address of the database ``name``."""
        return f"postgresql://postgres@{HOST}:{self.port}/{name}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of ``template`` when given; return its address.

        A template must have no open connections.

        Raises:
            ServerFailed: The server refused, with its reason.
        """
        copy = f' TEMPLATE "{template}"' if template else ""
        self._ask(f'CREATE DATABASE "{name}"{copy}')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database and the connections to it; one that is not there is fine."""
        self._ask(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def kill9(self) -> None:
        """End the server without warning, as a crash would; return when its children ended too."""
        self._console.close()
        super().kill9()

    def _ask(self, statement: str) -> Any:
        """Run one statement; return the first value of its first row, if any."""
        return self._console.ask(self.url(), statement)

    def _prepare(self) -> None:
        made = subprocess.run(
            [
                *(self._binary("initdb"), "--pgdata", self._data, "--username", "postgres"),
                *("--auth-host", "trust", "--auth-local", "reject"),
                # Without a locale text sorts by code point, as SQLite does.
                *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
            ],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=plain_environment(),
            user=self._user(),
            check=False,
        )
        if made.returncode:
            raise ServerFailed(f"initdb: {made.stderr}")

    def _command(self) -> list[str]:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        return [self._binary("postgres"), "-D", self._data, f"--port={self.port}", *settings]

    def _is_ours(self) -> bool:
        try:
            return bool(self._ask("SHOW data_directory") == self._data)
        except ServerFailed:
            return False

    def _place(self) -> Path | None:
        # A database is some hundred files: a busy disk takes longer to copy them than a test runs.
        has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_ROOM_BYTES
        return MEMORY if has_room and not self._is_durable else None

    def _user(self) -> str | None:
        # PostgreSQL refuses to run as root.
        return "postgres" if os.geteuid() == 0 else None

    def _binary(self, name: str) -> str:
        folder = find_postgres()
        if folder is None:
            raise ServerFailed(skip_reason(type(self)))
        return str(folder / name)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")


class PrivateRedis(PrivateServer):
    """A Redis server that keeps nothing on disk: a restart forgets all."""

    title = "Redis"
    package = "redis-server"
    find = staticmethod(find_redis)

    @property
    def url(self) -> str:
        """The address of database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def _prepare(self) -> None:
        """Leave the folder empty: the command line says all."""

    def _command(self) -> list[str]:
        binary = find_redis()
        if binary is None:
            raise ServerFailed(skip_reason(type(self)))
        settings = {"bind": HOST, "port": self.port, "save": "", "appendonly": "no"}
        return [str(binary), *(part for k, v in settings.items() for part in (f"--{k}", str(v)))]

    def _is_ours(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as peer:
                peer.sendall(b"INFO server\r\nQUIT\r\n")
                reply = peer.makefile("rb").read()
        except OSError:
            return False
        return b"\r\nprocess_id:%d\r\n" % self.pid in reply


def skip_reason(server: type[PrivateServer]) -> str:
    """Say what is missing, and how to get it."""
    return f"{server.title} is not installed: apt-get install {server.package}"


def require(server: type[PrivateServer]) -> None:
    """Skip the running test when the server is not installed.

    Where ``TESTS_REQUIRE_SERVERS=1`` is set the test fails instead: a gate must not pass by
    skipping.
    """
    if server.find() is not None:
        return
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(skip_reason(server), pytrace=False)
    pytest.skip(skip_reason(server))
