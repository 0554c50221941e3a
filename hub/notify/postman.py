"""Hands mail to a server: one session of SMTP in a thread, and what came of it."""

import asyncio
import smtplib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

import msgspec

from hub.mail import MailServer
from hub.notify.letters import Mail, letter

ANSWER_LIMIT_S = 10.0
"""The longest wait for a connection, or for an answer of the server."""

T = TypeVar("T")

Refusal = smtplib.SMTPSenderRefused | smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError


class NoSafeSignIn(OSError):
    """The server offers no TLS, and a password must not cross the network without."""


class Session(msgspec.Struct, frozen=True):
    """What came of a session.

    Attributes:
        again: The mails that the server may take another time.
        notes: One text of key=value for each mail that was refused for good, wholly or in part.
        trouble: Why; ``None`` when nothing has to go again.
    """

    again: list[Mail]
    notes: list[str]
    trouble: str | None


class Postman:
    """Carries mail to one server, from one sender."""

    def __init__(self, server: MailServer, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def carry(self, mails: Sequence[Mail], epoch: str) -> Session:
        """Hand in ``mails`` in one session; nothing is raised for what the server does.

        Cancelling leaves the session to end by itself: what is under way may still arrive.
        """
        return await _in_thread(lambda: self._session(mails, epoch))

    def _session(self, mails: Sequence[Mail], epoch: str) -> Session:
        waiting, put_off, notes = deque(mails), [], []
        trouble = None
        try:
            with self._connected() as server:
                while waiting:
                    refusal, note = self._hand_in(server, waiting[0], epoch)
                    mail = waiting.popleft()
                    if refusal is not None and not _is_final(refusal):
                        put_off.append(mail)
                        trouble = note
                    elif note:
                        notes.append(f"job={mail.event.job} {note}")
        except OSError as error:
            trouble = reason(error)
        return Session([*put_off, *waiting], notes, trouble)

    def _hand_in(
        self, server: smtplib.SMTP, mail: Mail, epoch: str
    ) -> tuple[Refusal | None, str | None]:
        try:
            message = letter(mail, sender=self._sender, epoch=epoch)
            refused = server.send_message(message, self._sender, mail.recipients)
        except (
            smtplib.SMTPSenderRefused,
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPDataError,
        ) as refusal:
            return refusal, reason(refusal)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  # one bad mail must not keep back all behind it
            return None, reason(error)
        return None, f"recipients_refused={len(refused)}" if refused else None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        where = (self._server.host, self._server.port, socket.gethostname())
        if self._server.is_tls:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=ANSWER_LIMIT_S, context=context)
        else:
            server = smtplib.SMTP(*where, timeout=ANSWER_LIMIT_S)
        try:
            self._sign_in(server)
            yield server
            with suppress(OSError):  # all is handed in: how the server takes leave says nothing
                server.quit()
        finally:
            server.close()

    def _sign_in(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        is_safe = self._server.is_tls or self._server.is_local
        # A server on this machine often has a certificate that nobody could check.
        if not is_safe and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            is_safe = True
        if self._server.user:
            if not is_safe:
                raise NoSafeSignIn
            server.login(self._server.user, self._server.password)


def reason(error: Exception) -> str:
    """Return what happened as key=value: no words of a server, which may repeat what it got."""
    said = [f"error={type(error).__name__}"]
    if codes := _codes(error):
        said.append(f"code={','.join(map(str, sorted(codes)))}")
    if isinstance(error.__context__, OSError):
        said.append(f"cause={type(error.__context__).__name__}")
    return " ".join(said)


def _is_final(refusal: Refusal) -> bool:
    """Whether the server will never take this: every answer was 5xx (RFC 5321, 4.2.1)."""
    return all(code >= 500 for code in _codes(refusal))


def _codes(error: Exception) -> set[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return {code for code, _ in error.recipients.values()}
    return {error.smtp_code} if isinstance(error, smtplib.SMTPResponseException) else set()


async def _in_thread(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, from a thread that the end of the process does not wait for."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # whoever waits gets it
            done.set_exception(error)

    threading.Thread(target=run, name="mail", daemon=True).start()
    return await asyncio.wrap_future(done)
