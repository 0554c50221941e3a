"""Private servers: started, waited for, given a core, and stopped by process id."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.client import Address
from tests.bench.floor import URL_VARIABLE

PROJECT = Path(__file__).parents[2]
PASSWORD = "bench-password-1"  # of a hub that lives for seconds, on the loopback address
START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
SERVER_CORE, CLIENT_CORE = 0, 1


class NotServing(Exception):
    """The server ended, or did not listen in time; the message holds the end of its log."""


class Server(NamedTuple):
    """A running server process."""

    address: Address
    pid: int

    def resident_kib(self) -> int:
        """Return the resident memory of the process, in KiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def cpu_s(self) -> float:
        """Return the processor time that the process has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _serving(
    command: Sequence[str], log: Path, *, port: int, pin: bool, env: Mapping[str, str]
) -> Iterator[Server]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=PROJECT,
            env=inherited | dict(env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        if pin:
            os.sched_setaffinity(process.pid, {SERVER_CORE})
        address = Address("127.0.0.1", port)
        _await_listener(process, address, log)
        yield Server(address, process.pid)
    finally:
        _stop(process)


def _await_listener(process: "subprocess.Popen[bytes]", address: Address, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise NotServing(f"{process.args!r}\n{log.read_text(errors='replace')[-3000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def hub(data: Path, *, database_url: str, pin: bool) -> Iterator[Server]:
    """Serve the hub from the folder ``data``; an empty URL is the SQLite file in it."""
    port = free_port()
    data.mkdir(parents=True, exist_ok=True)
    command = ["hub", "serve", "--host", "127.0.0.1", "--port", str(port), "--data", str(data)]
    env = {"HUB_ADMIN_PASSWORD": PASSWORD, "HUB_LOG_LEVEL": "warning"}
    if database_url:
        env["HUB_DATABASE_URL"] = database_url
    with _serving(command, data / "server.log", port=port, pin=pin, env=env) as server:
        yield server


@contextmanager
def _uvicorn(app: str, scratch: Path, *, pin: bool, env: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    command = ["uvicorn", app, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command += ["--log-level", "warning"]
    log = scratch / f"{app.partition(':')[0]}.log"
    with _serving(command, log, port=port, pin=pin, env=env) as server:
        yield server


@contextmanager
def bare(scratch: Path, *, pin: bool) -> Iterator[Server]:
    """Serve the bare handler, on the server settings of the hub."""
    with _uvicorn("tests.bench.bare:app", scratch, pin=pin, env={}) as server:
        yield server


@contextmanager
def floor(scratch: Path, *, database_url: str, pin: bool) -> Iterator[Server]:
    """Serve the floor app on an empty database; an empty URL is a SQLite file in ``scratch``."""
    url = database_url or f"sqlite://{scratch / 'floor.sqlite3'}"
    env = {URL_VARIABLE: url}
    with _uvicorn("tests.bench.floor:app", scratch, pin=pin, env=env) as server:
        yield server


@contextmanager
def ceiling(scratch: Path, *, pin: bool) -> Iterator[Server]:
    """Serve the constant answers that show how fast the client itself is."""
    port = free_port()
    command = ["tests.bench.ceiling", str(port)]
    with _serving(command, scratch / "ceiling.log", port=port, pin=pin, env={}) as server:
        yield server


@contextmanager
def broadcaster(scratch: Path, *, pin: bool) -> Iterator[Server]:
    """Serve rooms with the ``websockets`` library's own ``broadcast()``."""
    port = free_port()
    command = ["tests.bench.live.broadcaster", str(port)]
    log = scratch / "broadcaster.log"
    with _serving(command, log, port=port, pin=pin, env={}) as server:
        yield server
