"""Plays recorded exchanges against a hub.

A record is a JSON file: a title, and a list of exchanges in the order in which they happened. What
may stand in it for what differs from play to play is said in ``likeness``.
"""

import base64
import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

from tests.compat.likeness import Kept
from tests.compat.python_client import Answer, Json, whole
from tests.compat.site import Site

CORPUS = Path(__file__).parent / "corpus"
LIMIT_S = 20.0


class Play:
    """One play of a record: what was kept so far, and who takes part."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._accounts = {"admin": site.admin}
        self._kept = Kept()

    def exchange(self, record: Json) -> list[str]:
        """Send the request of an exchange; return where the answer is not as on record."""
        answer = self._sent(record["request"], record.get("as"), record.get("node"))
        expected = record["response"]
        found = [] if answer.status == expected["status"] else [f"status {answer.status}"]
        for name, value in expected.get("headers", {}).items():
            found += self._kept.differences(value, answer.headers.get(name), name)
        if "json" in expected:
            found += self._kept.differences(expected["json"], answer.json(), "body")
        if "base64" in expected and base64.b64decode(expected["base64"]) != answer.body:
            found.append("body: other bytes")
        return found and [*found, answer.body.decode(errors="replace")[:1000]]

    def _sent(self, request: Json, account: str | None, node: str | None) -> Answer:
        headers = dict(request.get("headers", {}))
        if account is not None:
            headers["Authorization"] = f"Bearer {self._token(account)}"
        if node is not None:
            headers["Node-Id"] = str(self._kept.values[node])
        body = self._body(request)
        connection = http.client.HTTPConnection(urlsplit(self._site.host).netloc, timeout=LIMIT_S)
        try:
            path = self._kept.filled(request["path"])
            connection.putrequest(request["method"], path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, self._kept.filled(value))
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return whole(connection.getresponse())
        finally:
            connection.close()

    def _token(self, account: str) -> str:
        if account not in self._accounts:
            self._accounts[account] = self._site.account()
        client = self._accounts[account]
        self._kept.values[f"{account} name"] = client.username
        self._kept.values[f"{account} password"] = client.password
        return client.signed_in().access

    def _body(self, request: Json) -> bytes | None:
        if "json" in request:
            return json.dumps(self._kept.filled(request["json"])).encode()
        if "text" in request:
            return str(self._kept.filled(request["text"])).encode()
        return base64.b64decode(request["base64"]) if "base64" in request else None


def records() -> list[str]:
    """Return the names of all records."""
    return sorted(path.stem for path in CORPUS.glob("*.json"))


def recorded(name: str) -> list[Json]:
    """Return the exchanges of a record."""
    return list(json.loads((CORPUS / f"{name}.json").read_text())["exchanges"])
