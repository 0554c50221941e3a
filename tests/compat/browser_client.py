"""The TypeScript client and the pages built on it, as a browser sends what they ask for.

A page that was loaded from elsewhere asks first whether it may (CORS), and learns nothing at all of
an answer that does not name its origin. A 401 means one thing only to this client: get another
token and ask again, for as long as it takes.
"""

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import NoReturn
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.compat.python_client import Answer, Json, Refused, Tokens, whole
from tests.frame_schemas import told

ALL_SOCKET: Json = {
    "actions": {
        f"on_{transition}": [{}]
        for transition in (
            *("acquire", "release", "start", "progress", "finish"),
            *("error", "reset", "abort", "cancel"),
        )
    }
}
"""What the pages ask for with every job: that its sockets tell all nine transitions."""

TRIES_MAX = 6
"""The real client has no such limit: where this one stops, a tab would spin for ever."""

LIMIT_S = 20.0
ESCAPED_IN_PATH = re.compile(r'[\x00-\x20"#<>?`{}\x7f-\U0010ffff]')
ESCAPED_IN_QUERY = re.compile(r"[\x00-\x20\"#'<>\x7f-\U0010ffff]")
SAFELISTED = {"accept", "accept-language", "content-language"}


class Thrown(Refused):
    """The client throws the answer itself when it is not of success."""

    def shown(self) -> str:
        """Return what a page shows of the error: each member of the body on a line of its own."""
        body = self.answer.json()
        return "\n".join(f"{name}: {js_text(value)}" for name, value in body.items())


class FailedToFetch(Exception):
    """The browser keeps the answer to itself: the page's origin is not allowed to see it."""


class Spinning(Exception):
    """Fresh tokens were answered with 401 again and again."""


class ClosedByServer(Exception):
    """The socket ended before the page closed it: the page shows that as a failure of the job."""


class BrowserClient:
    """One user in one tab.

    Args:
        host: Scheme, address and port of the server.
        username: Who signs in, at the first call.
        password: With what.
        storage: The browser's storage, which outlives the tab.
        origin: Where the page was loaded from; ``None``: from the server itself.
    """

    def __init__(
        self,
        host: str,
        username: str,
        password: str,
        storage: dict[str, Tokens] | None = None,
        origin: str | None = None,
    ) -> None:
        self.host = host
        self.username = username
        self.password = password
        self.node_id: int | None = None
        self.calls: list[tuple[str, str, int]] = []
        self._storage = {} if storage is None else storage
        self._origin = origin
        self._allowed: set[tuple[str, str, tuple[str, ...]]] = set()
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the tab."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- What the client offers -------------------------------------------------------------------

    def get(self, url: str) -> Json:
        """Return the JSON of a GET."""
        return self.fetched("GET", url).json()

    def post(self, url: str, said: Json = None) -> Json:
        """Post JSON, or nothing at all for ``None``, and return the JSON of the answer."""
        return self._sent("POST", url, said).json()

    def put(self, url: str, said: Json) -> Json:
        """Put JSON."""
        return self._sent("PUT", url, said).json()

    def patch(self, url: str, said: Json) -> Json:
        """Patch with JSON."""
        return self._sent("PATCH", url, said).json()

    def delete(self, url: str) -> Answer:
        """Delete; most callers then read JSON."""
        return self.fetched("DELETE", url)

    def upload(self, url: str, filename: str, data: bytes) -> Json:
        """Post raw bytes under a file's name."""
        headers = {
            "content-disposition": f"attachment; filename={filename or 'UNKNOWN'}",
            "content-type": "application/data",
        }
        return self.fetched("POST", url, data, headers).json()

    def download(self, url: str, said: Json = None) -> bytes:
        """Return the bytes of an answer, asked for by POST when something is said."""
        if said is None:
            return self.fetched("GET", url).body
        return self._sent("POST", url, said).body

    def progress(self, job: int, amount: float, remarks: Json = None) -> Json:
        """Report; the amount is written as JavaScript prints it: 0, 1, 0.5, 1e-7."""
        return self.post(f"v1/jobs/{job}/progress/{js_number(amount)}", remarks or {})

    def record(self) -> Json:
        """Return the account as the login page reads it: the first of those with this name."""
        return self.get(f"v1/users/{self.username}")[0]

    def _sent(self, method: str, url: str, said: Json) -> Answer:
        if said is None:
            return self.fetched(method, url)
        body = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
        return self.fetched(method, url, body, {"content-type": "application/json"})

    # --- Signing in -------------------------------------------------------------------------------

    @property
    def tokens(self) -> Tokens:
        """The tokens in the browser's storage; the first look signs in."""
        if self._key not in self._storage:
            self._storage[self._key] = self._obtained()
        return self._storage[self._key]

    def replace_access(self, token: str) -> None:
        """Use another access token from now on."""
        self._storage[self._key] = Tokens(token, self.tokens.refresh)

    @property
    def _key(self) -> str:
        return f"{self.host} {self.username}"

    def fetched(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Fetch as the user.

        Raises:
            Thrown: the answer is an error.
            FailedToFetch: the page may not see it.
            Spinning: it is 401 however fresh the tokens are.
        """
        for _ in range(TRIES_MAX):
            used = self.tokens.access
            said = {**(headers or {}), "authorization": f"Bearer {used}"}
            answer = self.fetch(method, url, body, said)
            if answer.status != 401:
                return answer if answer.status < 400 else thrown(answer)
            self._replace(used)
        raise Spinning(f"{method} {url}")

    def _replace(self, used: str) -> None:
        tokens = self.tokens
        if tokens.access != used:
            return
        answer = self._unsigned("v1/auth/refresh", {"refresh": tokens.refresh})
        if answer.status == 401:
            self._storage[self._key] = self._obtained()
        else:
            self._storage[self._key] = Tokens(read(answer)["access"], tokens.refresh)

    def _obtained(self) -> Tokens:
        said = {"username": self.username, "password": self.password}
        given = read(self._unsigned("v1/auth/obtain", said))
        return Tokens(given["access"], given["refresh"])

    def _unsigned(self, url: str, said: Json) -> Answer:
        body = json.dumps(said).encode()
        return self.fetch("POST", url, body, {"content-type": "application/json"})

    # --- What the browser does --------------------------------------------------------------------

    def fetch(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Send a request as the browser does, and return what the page gets to see."""
        said = dict(headers)
        if self.node_id is not None:
            said["node-id"] = str(self.node_id)
        path = js_path(url)
        if self._origin is not None:
            self._ask_first(method, path, said)
            said["origin"] = self._origin
        answer = self._exchanged(method, path, body, said)
        if self._origin is not None:
            self._check_visible(answer)
        return answer

    def _ask_first(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Ask whether the page may send this, unless it was asked before (a preflight)."""
        unusual = tuple(sorted(name for name in headers if name not in SAFELISTED))
        asked = (method, path, unusual)
        if asked in self._allowed or not (unusual or method not in ("GET", "POST")):
            return
        said = {
            "accept": "*/*",
            "access-control-request-method": method,
            "access-control-request-headers": ",".join(unusual),
            "origin": self._origin or "",
        }
        answer = self._exchanged("OPTIONS", path, None, said)
        self._check_visible(answer)
        if not 200 <= answer.status < 300:
            raise FailedToFetch(f"preflight: {answer.status}")
        methods = _words(answer.headers.get("access-control-allow-methods", ""))
        allowed = _words(answer.headers.get("access-control-allow-headers", ""))
        if method.lower() not in {*methods, "get", "post"} or not allowed.issuperset(unusual):
            raise FailedToFetch(f"preflight: {methods} {allowed} are not enough for {asked}")
        self._allowed.add(asked)

    def _check_visible(self, answer: Answer) -> None:
        if answer.headers.get("access-control-allow-origin") not in ("*", self._origin):
            raise FailedToFetch(f"{answer.status} does not name {self._origin}")

    def _exchanged(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        try:
            answer = self._over_one_connection(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            # A connection that was kept may be gone by now; a new one gets one chance.
            self.close()
            answer = self._over_one_connection(method, path, body, headers)
        self.calls.append((method, path, answer.status))
        return answer

    def _over_one_connection(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        if self._connection is None:
            netloc = urlsplit(self.host).netloc
            self._connection = http.client.HTTPConnection(netloc, timeout=LIMIT_S)
        connection = self._connection
        connection.putrequest(method, path, skip_accept_encoding=True)
        common = {
            "connection": "keep-alive",
            "accept": "*/*",
            "accept-language": "*",
            "sec-fetch-mode": "cors",
            "user-agent": "Mozilla/5.0",
            "accept-encoding": "gzip, deflate",
        }
        for name, value in {**common, **headers}.items():
            connection.putheader(name, value)
        if body is not None or method in ("POST", "PUT", "PATCH"):
            connection.putheader("content-length", str(len(body or b"")))
        connection.endheaders(body or None)
        return whole(connection.getresponse())

    # --- Sockets ----------------------------------------------------------------------------------

    @contextmanager
    def watching(self, job: int) -> "Iterator[JobView]":
        """Open the socket of a job as the pages do: no token, no header, no sub-protocol."""
        url = f"{self.host.replace('http', 'ws', 1)}/v1/jobs/{job}"
        origin = Origin(self._origin or self.host)
        with connect(
            url, origin=origin, proxy=None, open_timeout=LIMIT_S, ping_interval=None
        ) as connection:
            yield JobView(connection)


class JobView:
    """What a page sees of a job; it closes the socket itself when the job has ended."""

    ENDS = ("finish", "cancel", "error")

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[Json] = []

    def next(self, limit_s: float = LIMIT_S) -> Json:
        """Return the next message.

        Raises:
            TimeoutError: there is none within ``limit_s``.
            ClosedByServer: there will be none.
        """
        try:
            text = self.connection.recv(timeout=limit_s)
        except ConnectionClosed as closed:
            raise ClosedByServer(str(closed)) from closed
        assert isinstance(text, str), "the client parses text frames only"
        self.messages.append(told(text))
        return self.messages[-1]

    def until(self, *transitions: str, limit_s: float = LIMIT_S) -> Json:
        """Return the next message of one of these transitions."""
        message = self.next(limit_s)
        while message["transition"] not in transitions:
            message = self.next(limit_s)
        return message

    def until_over(self) -> list[str]:
        """Read until the job has ended, close, and return all transitions that were told."""
        self.until(*self.ENDS)
        self.connection.close()
        return self.names

    @property
    def names(self) -> list[str]:
        """The transitions told so far."""
        return [message["transition"] for message in self.messages]


def read(answer: Answer) -> Json:
    """Return the JSON of an answer of success."""
    return answer.json() if answer.status < 400 else thrown(answer)


def thrown(answer: Answer) -> NoReturn:
    """Throw an answer."""
    raise Thrown(answer)


def js_path(url: str) -> str:
    """Return path and query as a browser escapes them: differently, and quotes only in a query."""
    path, mark, query = url.partition("?")
    escaped = ESCAPED_IN_PATH.sub(_escaped, path)
    return f"/{escaped}{mark}{ESCAPED_IN_QUERY.sub(_escaped, query)}"


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found.group().encode())


def js_text(value: Json) -> str:
    """Return what JavaScript makes of a value in a text: a list's items stand without brackets."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def js_number(value: float) -> str:
    """Return a number from 0 to 1 as JavaScript prints it."""
    if value == 0:
        return "0"
    exact = Decimal(repr(value)).normalize()
    if value >= 1e-6:
        return f"{exact:f}"
    _, digits, _ = exact.as_tuple()
    shown = "".join(map(str, digits))
    point = f".{shown[1:]}" if shown[1:] else ""
    return f"{shown[0]}{point}e{exact.adjusted()}"


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}
