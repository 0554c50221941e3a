"""The headers of downloads and uploads: ranges, entity tags, file names, digests."""

import base64
import hashlib
import re
from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.outputs.disposition import attachment, content_digest
from hub.outputs.errors import RangeNotSatisfiable
from hub.outputs.ranges import (
    ByteRange,
    content_range,
    entity_tag,
    is_range_wanted,
    is_unchanged,
    parse_range,
)

# --- ranges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-9", ByteRange(0, 10)),
        ("bytes=9-9", ByteRange(9, 10)),
        ("bytes=3-", ByteRange(3, 10)),
        ("bytes=0-", ByteRange(0, 10)),
        ("bytes=3-99999999999999999999999999", ByteRange(3, 10)),
        ("bytes=-1", ByteRange(9, 10)),
        ("bytes=-10", ByteRange(0, 10)),
        ("bytes=-11", ByteRange(0, 10)),
        ("BYTES=0-0", ByteRange(0, 1)),
        (" bytes= 0-0 ", ByteRange(0, 1)),
        ("bytes=007-8", ByteRange(7, 9)),
    ],
)
def test_a_single_range_is_cut_to_what_is_there(header: str, expected: ByteRange) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=0-1,3-4",
        "bytes=0-1,",
        "bytes=a-b",
        "bytes=0x1-5",
        "bytes=--5",
        "bytes=+1-5",
        "bytes=1_0-",
        "bytes=1.0-5",
        "bytes=\N{ARABIC-INDIC DIGIT ONE}-5",
        "bytes=0-1\r\nX: y",
        "lines=0-1",
        "bytes=" + "9" * 5_000 + "-",
    ],
)
def test_what_is_no_single_range_of_bytes_is_passed_over(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-0", 0)],
)
def test_a_range_without_a_single_byte_is_refused(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, size)
    assert caught.value.code == "range_not_satisfiable"


def test_the_last_bytes_of_an_empty_output_are_all_of_it() -> None:
    assert parse_range("bytes=-5", 0) is None


@given(header=st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}") | st.text(), size=st.integers(0, 500))
def test_any_header_gives_a_part_that_is_there_or_everything(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part.start < part.end <= size


def test_content_range_names_the_last_byte_and_the_size() -> None:
    assert content_range(ByteRange(0, 5), 10) == "bytes 0-4/10"
    assert content_range(None, 10) == "bytes */10"


TAG = entity_tag("ab" * 32)


@pytest.mark.parametrize(
    ("header", "unchanged"),
    [
        (None, False),
        ("", False),
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"x", {TAG}', True),
        (f'W/"x",W/{TAG},"y"', True),
        ("*", True),
        ('"x"', False),
        (TAG.strip('"'), False),
        ('"', False),
    ],
)
def test_if_none_match_finds_the_tag_in_a_list(header: str | None, unchanged: bool) -> None:
    assert is_unchanged(header, TAG) is unchanged


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, True),
        (TAG, True),
        (f"W/{TAG}", False),
        ('"x"', False),
        ("Sat, 29 Oct 1994 19:43:31 GMT", False),
        ("", False),
    ],
)
def test_a_range_counts_only_for_the_very_bytes_the_client_began_with(
    header: str | None, wanted: bool
) -> None:
    assert is_range_wanted(header, TAG) is wanted


# --- file names

HEADER = re.compile(
    r'attachment; filename="([ !#$&-:<-\[\]-~\']+)"; '
    r"filename\*=UTF-8''((?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+)"
)


def names_in(header: str) -> tuple[str, str]:
    match = HEADER.fullmatch(header)
    assert match is not None, header
    return match[1], unquote(match[2], errors="strict")


@pytest.mark.parametrize(
    ("filename", "plain", "exact"),
    [
        ("model.bin", "model.bin", "model.bin"),
        ("log.Compressed<JSON, 8>", "log.Compressed<JSON, 8>", "log.Compressed<JSON, 8>"),
        ("BLOB<'txt'>", "BLOB<'txt'>", "BLOB<'txt'>"),
        ('say "hi".txt', "say _hi_.txt", 'say "hi".txt'),
        ("a;b%41.txt", "a_b_41.txt", "a;b%41.txt"),
        ("a\r\nX: y", "aX: y", "aX: y"),
        ("a\x00b\x7fc\x85d", "abcd", "abcd"),
        ("..", "download", "download"),
        ("", "download", "download"),
        (" . ", "download", "download"),
        ("../../etc/passwd", "_.._etc_passwd", "_.._etc_passwd"),
        ("..\\..\\boot.ini", "_.._boot.ini", "_.._boot.ini"),
        ("/etc/passwd", "_etc_passwd", "_etc_passwd"),
        ("%2e%2e%2fx", "_2e_2e_2fx", "%2e%2e%2fx"),
        (".bashrc", "bashrc", "bashrc"),
        ("name. . ", "name", "name"),
        ("CON", "_CON", "_CON"),
        ("nul.txt", "_nul.txt", "_nul.txt"),
        ("Com1 .log", "_Com1 .log", "_Com1 .log"),
        ("console.txt", "console.txt", "console.txt"),
        ("gpj.\u202eexe", "gpj.exe", "gpj.exe"),
        ("\u2066a\u200fb\u2028c\ufeff", "abc", "abc"),
        ("\ud800x", "x", "x"),
        ("caf\u00e9", "caf_", "caf\u00e9"),
        ("cafe\u0301", "caf_", "caf\u00e9"),
        ("\N{ROCKET}", "_", "\N{ROCKET}"),
        ("\U0001f469\u200d\U0001f680.png", "___.png", "\U0001f469\u200d\U0001f680.png"),
        ("a" * 4_096, "a" * 255, "a" * 255),
        ("\N{ROCKET}" * 100, "_" * 63, "\N{ROCKET}" * 63),
        ("a" * 254 + ". b", "a" * 254, "a" * 254),
    ],
)
def test_a_file_name_is_offered_safely(filename: str, plain: str, exact: str) -> None:
    assert names_in(attachment(filename)) == (plain, exact)


@given(st.text() | st.text(alphabet='./\\"%;\r\n \u202e\u200d\ud800a'))
def test_any_text_gives_one_safe_header(filename: str) -> None:
    for name in names_in(attachment(filename)):
        assert not re.search(r"[/\\\x00-\x1f\x7f]", name)
        assert name[0] not in ". "
        assert name[-1] not in ". "
        assert len(name.encode()) <= 255


def test_an_independent_parser_sees_a_name_and_nothing_else() -> None:
    message = Message()
    message["Content-Disposition"] = attachment('na\u00efve "\N{ROCKET}";x=1.txt')
    assert message.get_content_disposition() == "attachment"
    parameters = message.get_params(header="content-disposition")
    assert parameters is not None
    assert [name for name, _ in parameters] == ["attachment", "filename", "filename"]


# --- digests

DIGEST = hashlib.sha256(b"hello").digest()
TEXT = base64.b64encode(DIGEST).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"sha-256=:{TEXT}:",
        f"  sha-256=:{TEXT}: ",
        f"sha-512=:AAAA:, sha-256=:{TEXT}:",
        f"sha-256=:{TEXT}:,md5=:!:",
        f"sha-256=:{TEXT}:;note=1",
        f"SHA-256=:{TEXT}:",
        f"sha-256=:{TEXT.rstrip('=')}:",
        f"sha-256=:{base64.b64encode(bytes(32)).decode()}:, sha-256=:{TEXT}:",
    ],
)
def test_the_sha_256_of_content_digest_is_found(header: str) -> None:
    assert content_digest(header) == DIGEST


@pytest.mark.parametrize("header", ["", "sha-512=:AAAA:", "md5=nonsense", ",,", "sha-2567=:x:"])
def test_other_algorithms_are_passed_over(header: str) -> None:
    assert content_digest(header) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "=",
        "=::",
        "=:AAAA:",
        f"={TEXT}",
        f"=:{TEXT}",
        f"=:{TEXT}:x",
        "=:!!!!:",
        f"=:{TEXT}{TEXT}:",
        "=:A:",
        f"=:={TEXT[1:]}:",
        f"=:{DIGEST.hex()}:",
        "=:\N{FULLWIDTH LATIN CAPITAL LETTER A}:",
        "=1",
    ],
)
def test_a_sha_256_that_is_no_digest_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput):
        content_digest(f"sha-256{value}")


@given(st.text())
def test_any_digest_text_gives_32_bytes_or_nothing_or_a_refusal(text: str) -> None:
    try:
        digest = content_digest(f"sha-256={text}")
    except InvalidInput:
        return
    assert digest is not None
    assert len(digest) == 32
