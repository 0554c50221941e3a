"""The Python client: one connection for each request, tokens in a file, one repeat after a 401.

What it puts on the wire is what the ``requests`` library of that client puts there, header by
header: a body of ``{}`` even with most of its GETs, and uploads in chunks where it cannot tell
their length.
"""

import http.client
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

Json = Any
"""What an answer holds."""

Data = bytes | IO[bytes] | Iterator[bytes]
"""What can be uploaded; of a file or an iterator only what is left is sent, also in a repeat."""

LEFT_ALONE = "!#$%&'()*+,/:;=?@[]~"
"""What stands unescaped in a path; with it ``Compressed<JSON, 8>`` is written as all workers do."""

TYPED = ("Content-Type", "application/json")
BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
PIECE_BYTES = 65_536


class Answer(NamedTuple):
    """A whole answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """Return what the body says; the client asks this of all but a few answers."""
        return json.loads(self.body)


def whole(response: http.client.HTTPResponse) -> Answer:
    """Return an answer, read to its end."""
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


class Refused(Exception):
    """An answer of 400 or more, which the client raises wherever it meets one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body.decode(errors='replace')[:500]}")
        self.answer = answer
        self.status = answer.status


class Tokens(NamedTuple):
    """Both tokens of a sign-in."""

    access: str
    refresh: str


class TokenFile:
    """The tokens of each user at each server, kept from one run of the client to the next."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, host: str, username: str) -> Tokens | None:
        """Return what was kept for a user at a server."""
        found = self._all().get(host, {}).get(username)
        return None if found is None else Tokens(found["access"], found["refresh"])

    def write(self, host: str, username: str, tokens: Tokens) -> None:
        """Keep the tokens of a user at a server."""
        kept = self._all()
        kept.setdefault(host, {})[username] = tokens._asdict()
        self._path.write_text(json.dumps(kept, indent=2))

    def _all(self) -> dict[str, dict[str, dict[str, str]]]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}


class PythonClient:
    """One user at one server.

    Args:
        host: Scheme, address and port, without a slash at the end.
        username: Who signs in, at the first call.
        password: With what.
        tokens: Where tokens outlive this client; ``None`` forgets them.
        limit_s: The longest wait for any answer.
    """

    def __init__(
        self,
        host: str,
        username: str,
        password: str,
        tokens: TokenFile | None = None,
        limit_s: float = 20.0,
    ) -> None:
        self.host = host
        self.username = username
        self.password = password
        self.node_id: int | None = None
        self.calls: list[tuple[str, str, int]] = []
        self.tokens: Tokens | None = None
        self._file = tokens
        self._limit_s = limit_s

    def set_node_id(self, node: int) -> None:
        """Call as this node from now on."""
        self.node_id = node

    # --- What the client offers -------------------------------------------------------------------

    def get(self, url: str, **params: str) -> Answer:
        """Ask with a GET that carries ``{}``, as most of this client's do."""
        return self.request("GET", _with(url, params), b"{}", [TYPED])

    def post(self, url: str, said: Json = None) -> Answer:
        """Post JSON, or nothing at all for ``None``."""
        return self._said("POST", url, said)

    def put(self, url: str, said: Json) -> Answer:
        """Put JSON."""
        return self._said("PUT", url, said)

    def patch(self, url: str, said: Json) -> Answer:
        """Patch with JSON."""
        return self._said("PATCH", url, said)

    def delete(self, url: str) -> Answer:
        """Delete."""
        return self.request("DELETE", url, b"")

    def upload(self, url: str, filename: str, data: Data) -> Answer:
        """Post raw bytes under a file's name, which stands there without quotes."""
        named = ("Content-Disposition", f"attachment; filename={filename or 'UNKNOWN'}")
        return self.request("POST", url, data, [named, ("Content-Type", "application/data")])

    def download(self, url: str, **params: str) -> bytes:
        """Return the bytes of an answer."""
        return self.request("GET", _with(url, params), None).body

    def _said(self, method: str, url: str, said: Json) -> Answer:
        if said is None:
            return self.request(method, url, b"")
        return self.request(method, url, json.dumps(said).encode(), [TYPED])

    # --- Signing in -------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        url: str,
        body: Data | None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Answer:
        """Call as the user; a 401 is answered with other tokens and the call once more.

        Raises:
            Refused: the answer is an error.
            OSError: there is no answer.
        """
        headers = list(headers)
        try:
            return self._authorised(method, url, body, headers)
        except Refused as refused:
            if refused.status != 401:
                raise
        self._kept(self._renewed())
        return self._authorised(method, url, body, headers)

    def _authorised(
        self, method: str, url: str, body: Data | None, headers: list[tuple[str, str]]
    ) -> Answer:
        mine = [("Authorization", f"Bearer {self.signed_in().access}")]
        if self.node_id is not None:
            mine.append(("Node-Id", str(self.node_id)))
        # The library puts a body's kind last, but what the caller says of it first.
        first = [header for header in headers if header != TYPED]
        return self.call(method, url, body, [*first, *mine, *(h for h in headers if h == TYPED)])

    def signed_in(self) -> Tokens:
        """Return the tokens in use: from memory, else from the file, else by signing in."""
        if self.tokens is None and self._file is not None:
            self.tokens = self._file.read(self.host, self.username)
        return self.tokens or self._kept(self.obtain())

    def _kept(self, tokens: Tokens) -> Tokens:
        if self._file is not None:
            self._file.write(self.host, self.username, tokens)
        self.tokens = tokens
        return tokens

    def _renewed(self) -> Tokens:
        # Without any token this signs in, a second time if it was that which was refused.
        tokens = self.signed_in()
        try:
            return Tokens(self.refresh(tokens.refresh), tokens.refresh)
        except Refused as refused:
            if refused.status != 401:
                raise
            return self.obtain()

    def obtain(self) -> Tokens:
        """Sign in by password."""
        said = {"username": self.username, "password": self.password}
        given = self._unsigned("v1/auth/obtain", said).json()
        return Tokens(given["access"], given["refresh"])

    def refresh(self, token: str) -> str:
        """Return a new access token."""
        access: str = self._unsigned("v1/auth/refresh", {"refresh": token}).json()["access"]
        return access

    def verify(self, token: str) -> bool:
        """Say whether a token is good."""
        try:
            return self._unsigned("v1/auth/verify", {"token": token}).status == 200
        except Refused:
            return False

    def _unsigned(self, url: str, said: Json) -> Answer:
        return self.call("POST", url, json.dumps(said).encode(), [TYPED])

    # --- The wire ---------------------------------------------------------------------------------

    def call(
        self, method: str, url: str, body: Data | None, headers: Iterable[tuple[str, str]]
    ) -> Answer:
        """Send one request over a connection of its own, and return its answer."""
        path = "/" + quoted(url)
        peer = urlsplit(self.host)
        connection = http.client.HTTPConnection(peer.netloc, timeout=self._limit_s)
        try:
            self._send(connection, method, path, body, headers)
            answer = whole(connection.getresponse())
        finally:
            connection.close()
        self.calls.append((method, path, answer.status))
        if answer.status >= 400:
            raise Refused(answer)
        return answer

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Data | None,
        headers: Iterable[tuple[str, str]],
    ) -> None:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("User-Agent", "python-requests/2.34.2")
        connection.putheader("Accept-Encoding", "gzip, deflate")
        connection.putheader("Accept", "*/*")
        connection.putheader("Connection", "keep-alive")
        for name, value in headers:
            connection.putheader(name, value)
        length = left_of(body)
        if body is None:
            connection.endheaders()
        elif length is None:
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(_pieces(body), encode_chunked=True)
        else:
            connection.putheader("Content-Length", str(length))
            connection.endheaders(body or None)


def quoted(url: str) -> str:
    """Return an address as the library writes it: what is escaped already stays as it is."""
    safe = LEFT_ALONE.replace("%", "") if BARE_PERCENT.search(url) else LEFT_ALONE
    return quote(url, safe=safe)


def left_of(body: Data | None) -> int | None:
    """Return how many bytes will be sent, or ``None`` where the library sends chunks instead.

    It does so too for a file of which nothing is left: that is a repeat after a 401.
    """
    if isinstance(body, io.BytesIO):
        return (len(body.getvalue()) - body.tell()) or None
    return len(body) if isinstance(body, bytes) else None


def _pieces(body: Data) -> Iterator[bytes]:
    if isinstance(body, bytes):
        return iter([body])
    return iter(lambda: body.read(PIECE_BYTES), b"") if hasattr(body, "read") else iter(body)


def _with(url: str, params: Mapping[str, str]) -> str:
    return f"{url}?{urlencode(params)}" if params else url
