"""What nobody should send: values, bodies, numbers and headers, always in the same order.

JSON is kept as text, for much of it no encoder would write.
"""

import json
import random
from collections.abc import Iterator

SEED = 20_261_122

BIG = 2**20
"""More characters than a whole JSON body may have bytes."""

VALUES: dict[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "a text for a number": b'"1"',
    "zero": b"0",
    "minus zero": b"-0",
    "minus one": b"-1",
    "a half": b"1.5",
    "2^31": b"2147483648",
    "2^53 + 1": b"9007199254740993",
    "2^63 - 1": b"9223372036854775807",
    "2^63": b"9223372036854775808",
    "-2^63": b"-9223372036854775808",
    "2^64": b"18446744073709551616",
    "a number of 400 digits": b"9" * 400,
    "a number of 4,300 digits": b"9" * 4_300,
    "a number of 4,301 digits": b"9" * 4_301,
    "1e400": b"1e400",
    "1e-400": b"1e-400",
    "1e308": b"1e308",
    "NaN": b"NaN",
    "NaN as a text": b'"NaN"',
    "-Infinity": b"-Infinity",
    "an empty text": b'""',
    "a blank": b'" "',
    "10,000 characters": b'"' + b"x" * 10_000 + b'"',
    "10,001 emoji": b'"' + "\U0001f600".encode() * 10_001 + b'"',
    "a million characters": b'"' + b"x" * 1_000_000 + b'"',
    "a NUL": rb'"a\u0000b"',
    "a bare NUL": b'"a\x00b"',
    "half a pair": rb'"\ud800"',
    "the other half": rb'"\udc00x"',
    "halves the wrong way": rb'"\udc00\ud800"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "a noncharacter": rb'"\uffff\ufffe"',
    "a mark from right to left": '"\u202eabc\u200f"'.encode(),
    "emoji": '"\U0001f468\u200d\U0001f469\u200d\U0001f467"'.encode(),
    "a pair escaped": rb'"\ud83d\ude00"',
    "combining": '"e\u0301\u0301\u0301"'.encode(),
    "lines": rb'"a\r\nX: y\n2026-01-01 ERROR hub forged"',
    "quotes": rb'"\"' + b"'; DROP TABLE jobs; --" + rb'\\"',
    "braces": b'"{} {0} %s %(x)s ${x} ? $1"',
    "markup": b'"<script>alert(1)</script>"',
    "a broken byte": b'"\xff"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of null": b"[null]",
    "a list of texts": b'["a", "b"]',
    "a list of lists": b"[[[[]]]]",
    "an object": b'{"a": 1, "b": [true, null]}',
    "an object with a NUL": rb'{"a\u0000b": "a\u0000b"}',
    "an object of objects": b'{"a": {"value": {"value": 1, "type": "int"}, "type": "?"}}',
    "an object of odd types": rb'{"a": {"value": 1, "type": "Array<Array<int"}}',
    "an object without a name": b'{"": ""}',
    "members twice": b'{"a": 1, "a": 2}',
    "a list of 10,000": b"[" + b"0," * 10_000 + b"0]",
    "an object of 10,000": json.dumps({f"m{n}": n for n in range(10_000)}).encode(),
    "63 levels": b"[" * 63 + b"]" * 63,
    "64 levels": b"[" * 64 + b"]" * 64,
    "65 levels": b"[" * 65 + b"]" * 65,
    "10,000 levels": b"[" * 10_000 + b"]" * 10_000,
    "61 levels of objects": b'{"a":' * 61 + b"1" + b"}" * 61,
}
"""Texts of one value by name; some are no JSON at all."""

PLACES: tuple[str, ...] = (
    *("0", "-1", "+1", "1.0", "1e3", "0x1", "1_0", "%d9%a1", "%ef%bc%91", "%c2%b2"),
    *("null", "NaN", "true", "%5b%5d", "..", "%2e%2e", "1%2f..%2f1", "1%00", "%00", "%20", "1%20"),
    *("1%0a", "1;", "1'", "1%20or%201=1", "%ff", "%", "%zz", "%u0031", "{pk}", "*", "~"),
    *(str(2**31), str(2**63 - 1), str(2**63), str(2**64), "9" * 400, "9" * 4_301),
    *("x" * 10_000, "%f0%9f%98%80", "%e2%80%ae", "%ed%a0%80", "a%0d%0aX:%20y", "%25%32%65"),
)
"""What may stand in a path where a number or a name belongs."""

TEXTS_IN_QUERY: tuple[str, ...] = (
    *("", "%00", "%ff", "%ed%a0%80", "-1", "0", "1.5", "1e9", "1_0", "%d9%a1", "null", "NaN"),
    *("true", "[]", "{}", "'", "%22", "%25", "_", "%5c", "me", "1,2", ",", ":", "a:", ":b", "a:b"),
    *("a%00:b%00", str(2**63 - 1), str(2**63), str(2**64), "9" * 400, "9" * 4_301, "x" * 10_000),
    *("0000-00-00T00:00:00Z", "0001-01-01T00:00:00%2b14:00", "9999-12-31T23:59:60Z"),
    *("9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00%2b26:00"),
    *("2026-01-01", "2026-W01-1T00:00:00Z", "%f0%9f%98%80", "%e2%80%ae", "a%0d%0aX:%20y"),
    *("QUEUED", "QUEUED,", "queued", "-created", "priority,pk", "1.1", "0.0", "1-1", "1:1"),
)
"""What may stand in a query where a parameter's value belongs."""

NODE_IDS: tuple[str, ...] = (
    *("", " ", "0", "-1", "+1", "1.0", "1e0", "x", "1 or 1=1", "1,2", "0x1", "null", "\u0663"),
    *("\xff", "\x80", str(2**63), str(2**64), "9" * 400, "9" * 5_000, "1_0", "01;"),
)

AUTHORIZATIONS: tuple[str, ...] = (
    *("", " ", "Bearer", "Bearer ", "Basic eDp4", "Bearer x", "Bearer \xff\xfe", "Bearer \u0663"),
    *("Bearer " + "x" * 5_000, "Bearer a.b.c", "Bearer hub_a_" + "x" * 43, "Bearer null"),
    "Bearer hub_r_" + "x" * 43,
)

CONTENT_TYPES: tuple[str, ...] = (
    *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
    *("multipart/form-data", "application/msgpack", "text/html", "application/xml", "x", "/", ";"),
    *("application/json; charset=utf-16", "application/json;;;", "APPLICATION/JSON", "\xff"),
    *("application/jsonx", "application/json, text/plain", "x" * 5_000),
)

RANGES: tuple[str, ...] = (
    *("", "bytes", "bytes=", "bytes=-", "bytes=-0", "bytes=0-", "bytes=5-1", "bytes=0-0,1-1"),
    *("bytes=99999-", "bytes=-99999", f"bytes={2**63}-", f"bytes=0-{2**64}", "bytes=x-y", "x=0-1"),
    *("bytes=\xb2-", "bytes=0-" + "9" * 5_000, "bytes=" + "0-0," * 1_000 + "0-0", "bytes= 0 - 1"),
    *("bytes=-1_0", "bytes=+0-1", "bytes=0x0-1"),
)

TAGS: tuple[str, ...] = (
    *("", "*", "W/", 'W/"x"', '"', '"x', "x", ",", '"x",' * 1_000, "\xff", '"\x80"', "x" * 5_000),
    *("Sat, 01 Jan 2000 00:00:00 GMT", "* , *"),
)

DIGESTS: tuple[str, ...] = (
    *("", "sha-256", "sha-256=", "sha-256=:", "sha-256=::", "sha-256=:x:", "sha-256=:AAAA:"),
    *("sha-256=:" + "A" * 43 + "=:", "sha-256=:" + "A" * 10_000 + ":", "md5=:AAAA:", "=", ",", ";"),
    *("sha-256=:\xff:", "sha-256=:AAAA:, sha-256=:BBBB:", "sha-256=?1", "sha-512=:AAAA:", '"'),
)

CURSORS = (
    *("", "0", "v1", "v1:x", "v1:x:", "v1:x:1", "v1:x:-1", "v1:X:1", "v1:x:1:1", "v2:x:1", "null"),
    *("v1:x:00", "v1:x:9223372036854775808", "v1:x:" + "9" * 5_000, "v1:" + "x" * 33 + ":1"),
    *("v1:x:\u0661", "v1:x:1\x00", "\xff", "%00", "v1:x:1, v1:x:2", "' OR 1=1 --", "x" * 8_000),
)

ACCEPTED = (
    *(
        "",
        ",",
        ";",
        "*",
        "text/event-stream;q=",
        "text/event-stream;q=1e9",
        "*/*;q=nan",
        "\xff/\xff",
    ),
    *(
        "text/event-stream," * 2_000,
        "text/event-stream" + ";a=b" * 2_000,
        "application/x-ndjson;q=0",
    ),
)

FOR_HEADER: dict[str, tuple[str, ...]] = {
    "Range": RANGES,
    "If-None-Match": TAGS,
    "If-Range": TAGS,
    "Content-Digest": DIGESTS,
    "Last-Event-ID": CURSORS,
}
"""Values for the headers that an operation declares."""


def bodies(valid: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield bodies as a whole: torn, wrapped, coded or nested as no route may take them."""
    yield "the first byte", valid[:1]
    yield "the first third", valid[: len(valid) // 3]
    yield "the first half", valid[: len(valid) // 2]
    yield "all but the last byte", valid[:-1]
    yield "a mark of byte order", b"\xef\xbb\xbf" + valid
    yield "UTF-16", valid.decode().encode("utf-16")
    yield "two of them", valid + valid
    yield "in a list", b"[" + valid + b"]"
    for name in ("null", "true", "1e400", "NaN", "half a pair", "10,000 levels", "2^64"):
        yield name, VALUES[name]
    yield "too large", b'{"x": "' + b"x" * BIG + b'"}'
    yield "random bytes", random.Random(SEED).randbytes(200)


def extended(valid: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield objects with a member more: a strict route refuses it, others must survive it."""
    begin = valid.rstrip()[:-1] + (b"," if valid.strip() != b"{}" else b"")
    for name, member in {
        "an unknown member": b'"unknown": 1',
        "a prototype": b'"__proto__": {"role": "admin"}',
        "a NUL in a name": rb'"a\u0000b": 1',
        "half a pair in a name": rb'"\udc00": 1',
        "a back quote in a name": b'"a`b": 1',
        "a name of 10,000": b'"' + b"x" * 10_000 + b'": 1',
        "a deep one": b'"unknown": ' + VALUES["63 levels"],
        "a number of 4,301 digits": b'"unknown": ' + VALUES["a number of 4,301 digits"],
    }.items():
        yield name, begin + member + b"}"
