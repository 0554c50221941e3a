"""A real hub in a process of its own: started, waited for, stopped by its id."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx

PROJECT = Path(__file__).parents[2]
PASSWORD = "conformance-1"  # of a hub that lives for seconds, on the loopback address
START_LIMIT_S = 60.0
STOP_LIMIT_S = 10.0
TRACE = "Traceback (most recent call last):"

StartHub = Callable[..., AbstractContextManager["HubProcess"]]
"""How to start one more hub on an empty database; the arguments are its ``HUB_*`` settings."""


class HubProcess:
    """``hub serve`` on a free port of the loopback address, with the administrator `admin`.

    Args:
        data: Its folder, made if need be.
        settings: Its environment, ``HUB_*``.
        port: Where it listens; 0 takes a free one.
        log: Name of the file in its folder that it writes its log to.
    """

    def __init__(
        self, data: Path, settings: dict[str, str], port: int = 0, log: str = "server.log"
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._log = data / log
        others = {name: text for name, text in os.environ.items() if not name.startswith("HUB_")}
        with self._log.open("wb") as sink:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "hub", "serve"),
                    *("--host", "127.0.0.1", "--port", str(port), "--data", str(data)),
                ],
                cwd=PROJECT,
                env=others | {"HUB_ADMIN_PASSWORD": PASSWORD} | settings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
            )
        self.url = ""

    def wait_until_ready(self) -> None:
        """Read where it listens, and wait until it says that it can work."""
        deadline = time.monotonic() + START_LIMIT_S
        self.url = self._address(deadline)
        while httpx.get(f"{self.url}/health/ready", trust_env=False).status_code != 200:
            assert time.monotonic() < deadline, self.last_words()
            time.sleep(0.05)

    def _address(self, deadline: float) -> str:
        assert self._process.stdout is not None
        within_s = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([self._process.stdout], [], [], within_s)
        found = re.search(
            r"http://[0-9.]+:[0-9]+", self._process.stdout.readline() * bool(readable)
        )
        assert found, self.last_words()
        return found.group()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, for a socket."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    @property
    def socket_url(self) -> str:
        """Where it listens, for a WebSocket."""
        return self.url.replace("http", "ws", 1)

    def stop(self) -> int:
        """Ask it to end and return its exit code; it has ten seconds.

        Raises:
            subprocess.TimeoutExpired: it needs longer.
        """
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_LIMIT_S)

    def kill(self) -> None:
        """End it whatever it does; one that has ended already is fine."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def complaints(self, logger: str = "hub") -> list[str]:
        """Return what ``logger`` and those below it said about faults of the hub's own."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [line for line in lines if _is_fault(line, logger)]

    def everything_said(self) -> str:
        """Return its log."""
        return self._log.read_text(errors="replace")

    def last_words(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(errors="replace")[-3000:]


def _is_fault(line: str, logger: str) -> bool:
    """Whether a line tells of a fault: by its level, for its message may be anybody's words."""
    _, _, level, *rest = (*line.split(" ", 3), "", "", "")
    return line == TRACE or (level == "ERROR" and rest[0].startswith(logger))


@contextmanager
def running_hub(data: Path, settings: dict[str, str]) -> Iterator[HubProcess]:
    """A hub that is ready; it is gone when the block ends."""
    hub = HubProcess(data, settings)
    try:
        hub.wait_until_ready()
        yield hub
    finally:
        hub.kill()
