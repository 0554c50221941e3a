"""Calls to a hub over HTTP, as any program would make them; refusals become our own errors."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from hub.addresses import is_loopback
from hub.errors import Conflict, InvalidInput, Unavailable
from hub.wire.accounts import ObtainIn, SignedIn

T = TypeVar("T")

ANSWER_S = 30.0
"""How long an answer, or a pause in one, may take."""

SHOWN_IN_PROBLEM = {"type", "title", "status", "detail", "instance", "code"}


class Refused(Conflict):
    """The hub refused a call."""

    code = "refused_by_hub"

    def __init__(self, detail: str, status: int) -> None:
        self.status = status
        super().__init__(detail)


class NoAnswer(Unavailable):
    """No hub answers."""

    code = "no_answer"


class Rest:
    """One hub over HTTP; an ``async with`` block closes its connections.

    Args:
        url: Where the hub is, ``http://host:port``.
        token: What the calls are signed with; ``sign_in`` gets one for a password.

    Raises:
        InvalidInput: ``url`` is no address of a hub.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = checked_url(url)
        # A proxy of the environment cannot reach what only this machine can.
        trust_env = not is_loopback(urlsplit(self.url).hostname or "")
        self._client = httpx.AsyncClient(base_url=self.url, timeout=ANSWER_S, trust_env=trust_env)
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    @property
    def headers(self) -> httpx.Headers:
        """Headers that go with every call."""
        return self._client.headers

    async def sign_in(self, username: str, password: str) -> None:
        """Sign the calls from now on as this account.

        Raises:
            Refused: 401, there is no active account with this name and password.
        """
        body = ObtainIn(username, password)
        access = (await self.ask("POST", "/v1/auth/obtain", SignedIn, body)).access
        self.headers["Authorization"] = f"Bearer {access}"

    async def ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        """Return the answer to a call as ``kind``; see ``call``."""
        answer = await self.call(method, path, body)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            raise NoAnswer(f"{self.url} answers, but not as a hub does: {error}") from error

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: AsyncIterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Call the hub with ``body`` as JSON, or with the bytes of ``content`` instead.

        Raises:
            Refused: it answers with an error; the detail is what it says.
            NoAnswer: it does not answer.
        """
        sent: Any = content
        if body is not None:
            sent, headers = msgspec.json.encode(body), {"Content-Type": "application/json"}
        try:
            answer = await self._client.request(method, path, content=sent, headers=headers)
        except httpx.TransportError as error:
            raise self._no_answer(error) from error
        return _accepted(answer)

    async def download(self, path: str, sink: BinaryIO) -> str:
        """Write the bytes at ``path`` to ``sink`` as they come, and return their SHA-256 in hex.

        Raises:
            Refused: the hub answers with an error.
            NoAnswer: it does not answer, or stops before the end.
        """
        digest = hashlib.sha256()
        async with self._stream(path) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                sink.write(chunk)
        return digest.hexdigest()

    @asynccontextmanager
    async def _stream(self, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            async with self._client.stream("GET", path) as answer:
                if answer.is_error:
                    await answer.aread()
                _accepted(answer)
                yield answer.aiter_raw()
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: httpx.TransportError) -> NoAnswer:
        return NoAnswer(f"no hub answers at {self.url} ({str(error) or type(error).__name__})")


def checked_url(url: str) -> str:
    """Return the address of a hub without a slash at its end.

    Raises:
        InvalidInput: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"the address of a hub looks like http://host:8000, not {url!r}")
    return url.rstrip("/")


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    raise Refused(_sentence(answer), answer.status_code)


def _sentence(answer: httpx.Response) -> str:
    """Return what a problem says, single members included."""
    try:
        problem = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return f"{answer.status_code} {answer.reason_phrase}"
    about_members = {
        name: texts
        for name, texts in problem.items()
        if name not in SHOWN_IN_PROBLEM and isinstance(texts, list)
    }
    return with_members(str(problem.get("detail", answer.reason_phrase)), about_members)


def with_members(detail: str, members: dict[str, list[str]]) -> str:
    """Return ``detail`` in one line with what is wrong about single members of the input."""
    said = [f"{name}: {' '.join(map(str, texts))}" for name, texts in members.items()]
    return f"{detail} ({'; '.join(said)})" if said else detail
