"""What is no proper HTTP, from a generator with a fixed seed: it changes no job."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.conformance.foreign import World, problem
from tests.conformance.plain_socket import Stage, complaints, head, sent

SEED = 20_261_122


FINISH = b'{"success": true, "send_notification": ""}'


def torn(stage: Stage) -> Iterator[tuple[str, bytes]]:
    """Yield requests that would finish a job if they were whole."""
    path = f"/v1/jobs/{stage.job}/finish"

    def finish(*more: str) -> bytes:
        return head("POST", path, stage.node, "Content-Type: application/json", *more) + b"\r\n"

    size = len(FINISH)
    yield "longer than it is", finish(f"Content-Length: {size + 10}") + FINISH
    yield "shorter than it is", finish(f"Content-Length: {size - 3}") + FINISH
    yield "two lengths", finish(f"Content-Length: {size - 3}", f"Content-Length: {size}") + FINISH
    yield "a list of lengths", finish(f"Content-Length: {size}, {size + 1}") + FINISH
    for length in ("-1", "x", "", "1e3", "0x2a", "+42", "9" * 30):
        yield f"length {length!r}", finish(f"Content-Length: {length}") + FINISH
    chunked = finish("Transfer-Encoding: chunked")
    for name, chunks in {
        "no last chunk": b"%x\r\n%b\r\n" % (size, FINISH),
        "a chunk cut": b"%x\r\n%b" % (size + 5, FINISH),
        "a chunk longer than it says": b"5\r\n%b\r\n0\r\n\r\n" % FINISH,
        "no number": b"zz\r\n%b\r\n0\r\n\r\n" % FINISH,
        "a negative number": b"-5\r\n%b\r\n0\r\n\r\n" % FINISH,
        "a huge number": b"ffffffffffffffffff\r\n%b\r\n0\r\n\r\n" % FINISH,
        "no chunks": b"",
    }.items():
        yield f"chunked, {name}", chunked + chunks
    yield "an unknown coding", finish("Transfer-Encoding: x", f"Content-Length: {size}") + FINISH
    yield "cut in its head", finish(f"Content-Length: {size}")[:-20]
    yield "a folded header", finish(f"Content-Length: {size}", "X: a", "\tfolded: b")[:-1] + FINISH


def garbage() -> Iterator[tuple[str, bytes]]:
    chance = random.Random(SEED)
    yield "nothing", b""
    yield "an end of line", b"\r\n\r\n"
    yield "no HTTP", b"hello\r\n\r\n"
    yield "another version", b"GET / HTTP/9.9\r\n\r\n"
    yield "HTTP/0.9", b"GET /\r\n\r\n"
    yield "a NUL in the path", b"GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"
    yield "no path", b"GET HTTP/1.1\r\nHost: h\r\n\r\n"
    yield "an odd method", b"B\xc3\xa4D /v1/jobs/1 HTTP/1.1\r\nHost: h\r\n\r\n"
    yield "a greeting of TLS", bytes.fromhex("16030100a5010000a10303") + chance.randbytes(150)
    yield "a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for number in range(10):
        yield f"random bytes {number}", chance.randbytes(chance.randint(1, 2_000))
    for number in range(10):
        broken = bytearray(b"GET /v1/jobs/1 HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
        for _ in range(3):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        yield f"changed bytes {number}", bytes(broken)


def floods(world: World) -> Iterator[tuple[str, bytes]]:
    path = "/v1/jobs/1"
    for count in (101, 1_000, 10_000):
        many = [f"X-{n}: {n}" for n in range(count)]
        yield f"{count} headers", head("GET", path, world.nobody, *many) + b"\r\n"
    yield "a header of 1 MiB", head("GET", path, world.nobody, "X: " + "x" * 2**20) + b"\r\n"
    yield "a path of 64 KiB", head("GET", "/" + "x" * 65_536, world.nobody) + b"\r\n"
    yield "a path of 1 MiB", head("GET", "/" + "x" * 2**20, world.nobody) + b"\r\n"
    yield "an endless head", head("GET", path, world.nobody) + b"X: y\r\n" * 200_000


Torrent = Callable[[Stage], Iterator[tuple[str, bytes]]]


@pytest.mark.parametrize(
    "requests",
    [torn, lambda _: garbage(), lambda stage: floods(stage.world)],
    ids=["torn requests", "garbage", "floods"],
)
def test_what_is_no_proper_http_leaves_the_hub_well(stage: Stage, requests: Torrent) -> None:
    cases = ((name, request, False) for name, request in requests(stage))

    assert complaints(stage, cases, in_json=False) == []


def test_a_length_that_contradicts_the_chunks_is_not_believed(stage: Stage) -> None:
    path = f"/v1/jobs/{stage.job}/finish"
    both = ("Content-Type: application/json", "Content-Length: 5", "Transfer-Encoding: chunked")
    hidden = head("DELETE", f"/v1/jobs/{stage.job}", stage.world.admin) + b"\r\n"
    before = stage.seen()

    both_requests = head("POST", path, stage.node, *both) + b"\r\n0\r\n\r\n" + hidden
    sent(stage.world, both_requests, and_no_more=True)

    assert stage.seen() == before


def test_an_upload_that_is_cut_leaves_nothing_behind(stage: Stage) -> None:
    path = f"/v1/jobs/{stage.job}/outputs/cut/BLOB"
    for announced, came in ((10, 0), (10, 1), (2**20, 2**19), (100, 99)):
        begun = head("POST", path, stage.node, f"Content-Length: {announced}") + b"\r\n"
        sent(stage.world, begun + b"x" * came, and_no_more=True)

    assert stage.world.job(stage.job)["outputs"] == []
    whole = head("POST", path, stage.node, "Content-Length: 3") + b"\r\nabc"
    assert sent(stage.world, whole).status == 200
    problem(stage.world.viewer.get(f"/v1/jobs/{stage.job}/outputs/cut/blob"), 400)
