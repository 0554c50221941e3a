"""Handing mail to a server: what crosses the network, and under which protection."""

import ssl
import subprocess
from pathlib import Path

import pytest

import hub.mail
from channels.events import About, Event
from hub.mail import server_of
from hub.notify import postman
from hub.notify.letters import Mail
from hub.notify.postman import Postman, Session
from hub.wire.templates import EmailAction
from tests.mail_server import HOST, MailServer

LOGIN = "hub\0canary-9c4m"

EVENT = Event(
    gseq=1,
    job=1,
    seq=1,
    tseq=1,
    kind="t",
    type="start",
    time_us=0,
    from_status=None,
    to_status="RUNNING",
    attempt=1,
    node=None,
    progress=0.0,
    data=b"{}",
    about=About(".\r\n..\r\n", 1, None, None, "{}"),
)
MAIL = Mail(EVENT, EmailAction("s", "{description}"), 1, ("a@b",))

GONE_WELL = Session([], [], None)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key in the same file."""
    key, path = (tmp_path_factory.mktemp("tls") / name for name in ("key.pem", "cert.pem"))
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=tests", "-addext", f"subjectAltName=IP:{HOST}"),
            *("-keyout", str(key), "-out", str(path), "-days", "2"),
        ],
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    path.write_text(path.read_text() + key.read_text())
    return path


@pytest.fixture
def believed(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, which this machine vouches for."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the server for one on another machine."""
    monkeypatch.setattr(hub.mail.MailServer, "is_local", False)


def with_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def carried(server: MailServer, scheme: str = "smtp") -> Session:
    login = "" if server.login is None else server.login.replace("\0", ":") + "@"
    url = f"{scheme}://{login}{HOST}:{server.port}"
    return await Postman(server_of(url), "h@b").carry([MAIL], "epoch")


async def test_a_letter_arrives_as_it_was_written() -> None:
    async with MailServer().listening() as server:
        assert await carried(server) == GONE_WELL

    assert server.letters[0].text == ".\n..\n"


async def test_a_server_on_this_machine_gets_the_password_without_tls(certificate: Path) -> None:
    async with MailServer(with_tls(certificate)).listening() as server:
        server.login = LOGIN
        assert await carried(server) == GONE_WELL

    assert server.signed_in == [("hub", False)]


@pytest.mark.usefixtures("far_away")
async def test_a_server_elsewhere_gets_it_under_tls(believed: Path) -> None:
    async with MailServer(with_tls(believed)).listening() as server:
        server.login = LOGIN
        assert await carried(server) == GONE_WELL

    assert server.signed_in == [("hub", True)]


@pytest.mark.usefixtures("far_away")
async def test_a_server_elsewhere_without_tls_gets_no_password() -> None:
    async with MailServer().listening() as server:
        server.login = LOGIN
        session = await carried(server)

    assert (session.again, session.trouble) == ([MAIL], "error=NoSafeSignIn")
    assert server.signed_in == []


@pytest.mark.usefixtures("far_away")
async def test_a_certificate_that_nobody_vouches_for_is_not_believed(certificate: Path) -> None:
    async with MailServer(with_tls(certificate)).listening() as server:
        server.login = LOGIN
        session = await carried(server)

    assert session.trouble == "error=SSLCertVerificationError"
    assert (server.signed_in, server.letters) == ([], [])


async def test_a_server_may_speak_tls_from_the_first_byte(believed: Path) -> None:
    async with MailServer().listening(tls=with_tls(believed)) as server:
        server.login = LOGIN
        assert await carried(server, "smtps") == GONE_WELL

    assert len(server.letters) == 1


async def test_a_server_that_says_nothing_is_left_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postman, "ANSWER_LIMIT_S", 0.2)
    async with MailServer().listening() as server:
        server.is_deaf = True
        session = await carried(server)

    assert session.again == [MAIL]
    assert session.trouble == "error=SMTPServerDisconnected cause=TimeoutError"
