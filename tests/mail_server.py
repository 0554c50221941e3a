"""A mail server for tests: takes what it is given on a free loopback port, or does what it is told.

It speaks as much of SMTP (RFC 5321) as a client needs to hand in mail, STARTTLS and AUTH PLAIN too.
"""

import asyncio
import base64
import email.policy
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.message import EmailMessage
from email.parser import BytesParser
from typing import NamedTuple

HOST = "127.0.0.1"
OK = "250 fine"


class Letter(NamedTuple):
    """A mail that was taken, with its envelope."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail as its reader sees it."""
        parsed = BytesParser(policy=email.policy.default).parsebytes(self.raw)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The body, with plain line ends."""
        content: str = self.message.get_content()
        return content.replace("\r\n", "\n")


class MailServer:
    """What it took, and how it answers.

    Attributes:
        letters: The mails taken, oldest first.
        sessions: How many connections there were.
        answers: For a verb (``RCPT``), what to answer the next times instead of ``250``.
        is_deaf: Take connections and say nothing.
        login: What AUTH must send, ``user\\0password``; ``None`` offers no AUTH.
        signed_in: Who signed in, and whether that was under TLS.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.letters: list[Letter] = []
        self.sessions = 0
        self.answers: dict[str, deque[str]] = defaultdict(deque)
        self.is_deaf = False
        self.login: str | None = None
        self.signed_in: list[tuple[str, bool]] = []
        self.port = 0
        self._tls = tls
        self._news = asyncio.Condition()
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens, as ``HUB_SMTP_URL``."""
        return f"smtp://{HOST}:{self.port}"

    async def have(self, count: int, *, within_s: float = 20.0) -> list[Letter]:
        """Wait until it has taken ``count`` mails, and return all that it has."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: len(self.letters) >= count)
        return self.letters

    async def met(self, count: int, *, within_s: float = 20.0) -> None:
        """Wait until there were ``count`` connections."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(lambda: self.sessions >= count)

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["MailServer"]:
        """Listen while the block runs; with ``tls``, under TLS from the first byte."""
        server = await asyncio.start_server(self._serve, HOST, 0, limit=2**20, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with self._news:
                self.sessions += 1
                self._news.notify_all()
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._converse(_Line(reader, writer))
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _converse(self, line: "_Line") -> None:
        if self.is_deaf:
            await line.reader.read()
            return
        await line.say(self._answer("CONNECT", "220 here"))
        while (text := await line.hear()) is not None:
            verb = text.partition(" ")[0].upper()
            reply = self._answer(verb, "")
            if reply:
                await line.say(reply)
            else:
                await self._do(verb, text, line)
            if verb == "QUIT" or reply.startswith("421"):
                return

    async def _do(self, verb: str, text: str, line: "_Line") -> None:
        match verb:
            case "EHLO":
                await line.say(*self._offers(is_tls=line.is_tls))
            case "STARTTLS":
                await line.say("220 go on")
                assert self._tls is not None
                await line.writer.start_tls(self._tls)
                line.is_tls = True
            case "AUTH":
                await line.say(self._let_in(text, is_tls=line.is_tls))
            case "MAIL":
                line.sender, line.recipients = _address(text), []
                await line.say(OK)
            case "RCPT":
                line.recipients.append(_address(text))
                await line.say(OK)
            case "DATA":
                await line.say("354 go on")
                await self._take(Letter(line.sender, line.recipients, await line.hear_all()), line)
            case _:
                await line.say(OK)

    def _answer(self, verb: str, otherwise: str) -> str:
        return self.answers[verb].popleft() if self.answers[verb] else otherwise

    def _offers(self, *, is_tls: bool) -> list[str]:
        offers = ["250-here"]
        if self._tls is not None and not is_tls:
            offers.append("250-STARTTLS")
        if self.login is not None:
            offers.append("250-AUTH PLAIN")
        return [*offers, "250 8BITMIME"]

    def _let_in(self, text: str, *, is_tls: bool) -> str:
        said = base64.b64decode(text.split()[2]).decode()
        self.signed_in.append((said.strip("\0").partition("\0")[0], is_tls))
        # Some servers repeat what they were sent.
        return "235 welcome" if said.strip("\0") == self.login else f"535 not {said!r} {text}"

    async def _take(self, letter: Letter, line: "_Line") -> None:
        answer = self._answer("END", OK)
        if answer.startswith("250"):
            async with self._news:
                self.letters.append(letter)
                self._news.notify_all()
        await line.say(answer)


class _Line:
    """One conversation."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.is_tls = False
        self.sender = ""
        self.recipients: list[str] = []

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear(self) -> str | None:
        """Return the next line, ``None`` when the peer has left."""
        line = await self.reader.readline()
        return line.decode().rstrip("\r\n") if line else None

    async def hear_all(self) -> bytes:
        """Return what comes up to the lonely dot, without the dots that only stuff it."""
        data = await self.reader.readuntil(b"\r\n.\r\n")
        return data.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")


def _address(text: str) -> str:
    return text.partition("<")[2].partition(">")[0]
