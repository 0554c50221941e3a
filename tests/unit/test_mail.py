import traceback

import pytest

from hub.mail import MailServer, is_address, server_of
from hub.settings import BadSettings, Settings, load

SECRET = "canary-7f2q"


@pytest.mark.parametrize(
    "address",
    ["a@b", "ada.l+jobs@mail.example.org", "root@localhost", "o'neil@example.org", "a@10.0.0.1"],
)
def test_plain_addresses_can_be_written_to(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "a@b@c",
        "a b@c",
        "a@b, c@d",
        "Ada <a@b>",
        "<a@b>",
        "a@b\n",
        "a@b\r\nBcc: c@d",
        "a@b>\r\nDATA",
        "\0a@b",
        '"a"@b',
        "a@b(comment)",
        "ä@b",
        "a@bücher.example",
        "a@-",
        "x" * 65 + "@b",
        "a@" + "b" * 253,
    ],
)
def test_what_is_no_plain_address_is_refused(address: str) -> None:
    assert not is_address(address)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail", MailServer("mail", 25, "", "", False)),
        ("smtps://mail/", MailServer("mail", 465, "", "", True)),
        ("smtp://u:p@127.0.0.1:2525", MailServer("127.0.0.1", 2525, "u", "p", False)),
        ("SMTPS://u%40x:p%2Fw%23@mail:1", MailServer("mail", 1, "u@x", "p/w#", True)),
        ("smtp://u:p:w@[::1]:25", MailServer("::1", 25, "u", "p:w", False)),
    ],
)
def test_a_url_names_a_server(url: str, server: MailServer) -> None:
    assert server_of(url) == server


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://u:{SECRET}@mail", "smtp://"),
        (f"u:{SECRET}@mail", "smtp://"),
        (f"smtp://u:{SECRET}", "cannot be read"),
        (f"smtp://u:{SECRET}@mail:port", "cannot be read"),
        (f"smtp://u:{SECRET}@mail:70000", "cannot be read"),
        (f"smtp://u:{SECRET}@[mail", "cannot be read"),
        (f"smtp://u:a/{SECRET}@mail", "cannot be read"),
        (f"smtp://u:{SECRET}@mail/x", "nothing follows"),
        (f"smtp://u:{SECRET}@mail?tls=no", "nothing follows"),
        (f"smtp://u:{SECRET}@", "names a host"),
        (f"smtp://u:{SECRET}@ma il", "names a host"),
        (f"smtp://:{SECRET}@mail", "go together"),
        (f"smtp://{SECRET}@mail", "go together"),
        (f"smtp://u:{SECRET}ü@mail", "printable ASCII"),
        (f"smtp://u:{SECRET}%0D%0A@mail", "printable ASCII"),
    ],
)
def test_a_url_that_names_none_is_refused_without_repeating_it(url: str, reason: str) -> None:
    with pytest.raises(BadSettings, match="HUB_SMTP_URL") as caught:
        load({"HUB_SMTP_URL": url})

    assert reason in caught.value.detail
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_sender_is_one_plain_address() -> None:
    with pytest.raises(BadSettings, match="HUB_SMTP_FROM"):
        load({"HUB_SMTP_FROM": "The Hub <hub@example.org>"})


def test_without_a_url_no_mail_is_sent() -> None:
    assert load({}).mail_server is None


def test_a_server_does_not_show_its_password() -> None:
    server = Settings(smtp_url=f"smtp://u:{SECRET}@mail").mail_server
    assert SECRET not in f"{server} {server!r}"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("mail", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_is_local(host: str, *, is_local: bool) -> None:
    assert server_of(f"smtp://{host}").is_local is is_local
