"""The life of one private server process: a free port, a folder, start, crash, restart, end."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, Self

HOST = "127.0.0.1"
START_LIMIT_S = 30.0
STOP_LIMIT_S = 10.0
PORT_TRIES = 3


class ServerFailed(RuntimeError):
    """The server ended, or did not answer in time; the message carries the end of its log."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago, and may be taken a moment later."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def plain_environment() -> dict[str, str]:
    """Return this process's environment without the PG* variables, which would lead elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


class PrivateServer(ABC):
    """A server process with a folder and a port of its own, for one ``with`` block.

    The port stays the same over ``kill9`` and ``restart``: clients find the server again.
    """

    title: ClassVar[str]
    package: ClassVar[str]

    def __init__(self) -> None:
        self.folder = Path()
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._family: BinaryIO | None = None

    @staticmethod
    @abstractmethod
    def find() -> Path | None:
        """Return where the binaries are, ``None`` when they are not installed."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def _is_ours(self) -> bool:
        """Say whether this very process answers on the port, and not a stranger who took it."""

    @abstractmethod
    def _prepare(self) -> None:
        """Fill the new folder with what the first start needs."""

    def _place(self) -> Path | None:
        """Return where the server's folder is made, ``None`` for the usual temporary folder."""
        return None

    def _user(self) -> str | None:
        """Return the system user to run as, ``None`` for the present one."""
        return None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerFailed(f"{self.title} is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"private-{self.package}-", dir=self._place()))
        try:
            if user := self._user():
                shutil.chown(self.folder, user)
            self._prepare()
            self._start_on_a_free_port()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def stop(self) -> None:
        """Ask the server to end without waiting for its clients; kill it when it does not."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
        self.kill9()

    def kill9(self) -> None:
        """End the server without warning, as a crash would; return when its children ended too."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._wait_for_family()

    def restart(self) -> None:
        """Start the server again on the same port and folder; stop it first when it runs.

        Raises:
            ServerFailed: It does not come back within ``START_LIMIT_S``.
        """
        self.stop()
        deadline = time.monotonic() + START_LIMIT_S
        while not self._starts():
            # An outgoing connection of anybody may have borrowed the port for a moment.
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.title} did not come back: {self._last_words()}")
            time.sleep(0.1)

    def _start_on_a_free_port(self) -> None:
        for _ in range(PORT_TRIES):
            self.port = free_port()
            if self._starts():
                return
        raise ServerFailed(f"{self.title} did not start: {self._last_words()}")

    def _starts(self) -> bool:
        deadline = time.monotonic() + START_LIMIT_S
        self._process = self._launch()
        while not self._is_ours():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill9()
                return False
            time.sleep(0.02)
        return True

    def _launch(self) -> subprocess.Popen[bytes]:
        ours, theirs = os.pipe()
        self._family = open(ours, "rb", buffering=0)  # noqa: SIM115  # closed by _wait_for_family
        with self._log.open("ab") as log, open(theirs, "wb"):
            return subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=plain_environment(),
                user=self._user(),
                pass_fds=[theirs],
                # Ctrl-C in the terminal is for pytest, which then stops the server itself.
                start_new_session=True,
            )

    def _wait_for_family(self) -> None:
        """Wait until nobody holds the pipe that the server and its children were born with.

        Orphans of a killed server would still write into the folder, and keep a new one out.
        """
        if self._family is None:
            return
        with self._family:
            select.select([self._family], [], [], STOP_LIMIT_S)
        self._family = None

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
