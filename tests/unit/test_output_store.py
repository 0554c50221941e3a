"""Result bytes on a local disk: whole or absent, named by hash, in constant memory."""

import asyncio
import errno
import hashlib
import os
import random
import resource
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from hub.errors import BodyTooLarge, StorageFull
from hub.outputs.errors import (
    BadDigest,
    DigestMismatch,
    OutputBytesDamaged,
    OutputBytesMissing,
)
from hub.outputs.local import LocalStore
from hub.outputs.store import OutputStore, StoredBytes

LIMIT_S = 20
BODY = random.Random(1).randbytes(700_001)
HASH = hashlib.sha256(BODY).hexdigest()
sees_open_files = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="open files are listed under /proc"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def store(root: Path) -> Iterator[LocalStore]:
    store = LocalStore(root)
    yield store
    store.close()


async def pieces(body: bytes, size: int = 65_536) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def put(store: OutputStore, body: bytes = BODY) -> StoredBytes:
    return await store.receive(pieces(body), limit_bytes=None)


async def get(store: OutputStore, sha256: str, start: int = 0, end: int | None = None) -> bytes:
    async with aclosing(store.read(sha256, start=start, end=end)) as chunks:
        return b"".join([chunk async for chunk in chunks])


def files(root: Path) -> list[Path]:
    return sorted(place.relative_to(root) for place in root.rglob("*") if not place.is_dir())


def open_files(root: Path) -> list[str]:
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return [link for link in links if link.startswith(str(root))]


def place_of(root: Path, sha256: str) -> Path:
    return root / "blobs" / sha256[:2] / sha256[2:4] / sha256


def grow_old(place: Path, by_s: float) -> None:
    written = place.stat().st_mtime - by_s
    os.utime(place, (written, written))


def test_the_local_store_is_an_output_store(store: LocalStore) -> None:
    as_promised: OutputStore = store
    assert isinstance(as_promised, OutputStore)


async def test_what_went_in_comes_out_under_its_hash_and_nowhere_else(
    store: LocalStore, root: Path
) -> None:
    stored = await put(store)
    assert stored == StoredBytes(sha256=HASH, size=len(BODY))
    assert files(root) == [Path("blobs", HASH[:2], HASH[2:4], HASH)]
    assert await get(store, HASH) == BODY
    assert await store.size(HASH) == len(BODY)


@pytest.mark.parametrize("body", [b"", b"x", BODY[:262_144], BODY[:262_145]])
async def test_bodies_of_any_size_are_kept(store: LocalStore, body: bytes) -> None:
    stored = await put(store, body)
    assert stored.size == len(body)
    assert await get(store, stored.sha256) == body


async def test_a_body_of_single_bytes_is_the_same_body(store: LocalStore) -> None:
    stored = await store.receive(pieces(BODY[:5_000], size=1), limit_bytes=None)
    assert await get(store, stored.sha256) == BODY[:5_000]


async def test_a_disk_that_takes_a_little_at_a_time_gets_it_all(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr("hub.outputs.draft.os.write", lambda to, data: write(to, data[:4_096]))
    await put(store)
    assert await get(store, HASH) == BODY


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, 0), (0, 1), (1, 2), (131_071, 131_073), (700_000, None), (700_001, None), (3, 700_001)],
)
async def test_a_part_is_read_byte_exactly(store: LocalStore, start: int, end: int | None) -> None:
    await put(store)
    assert await get(store, HASH, start, end) == BODY[start:end]


async def test_chunks_on_the_way_out_are_of_moderate_size(store: LocalStore) -> None:
    await put(store)
    async with aclosing(store.read(HASH)) as chunks:
        sizes = [len(chunk) async for chunk in chunks]
    assert sizes[:-1] == [131_072] * 5


async def test_the_same_bytes_twice_are_one_file(store: LocalStore, root: Path) -> None:
    assert await put(store) == await put(store)
    assert len(files(root)) == 1


async def test_the_same_bytes_at_once_are_one_file(store: LocalStore, root: Path) -> None:
    async with asyncio.timeout(LIMIT_S):
        answers = await asyncio.gather(*(put(store) for _ in range(8)))
    assert {answer.sha256 for answer in answers} == {HASH}
    assert len(files(root)) == 1


async def test_a_running_read_survives_the_same_bytes_and_their_removal(store: LocalStore) -> None:
    await put(store)
    async with aclosing(store.read(HASH)) as chunks:
        first = await anext(chunks)
        await put(store)
        await store.remove(HASH)
        assert first + b"".join([chunk async for chunk in chunks]) == BODY


# --- limits and digests


async def test_a_body_at_the_limit_is_taken(store: LocalStore) -> None:
    stored = await store.receive(pieces(BODY), limit_bytes=len(BODY))
    assert stored.size == len(BODY)


async def test_a_body_one_byte_over_the_limit_is_refused_and_leaves_nothing(
    store: LocalStore, root: Path
) -> None:
    with pytest.raises(BodyTooLarge):
        await store.receive(pieces(BODY), limit_bytes=len(BODY) - 1)
    assert files(root) == []


async def test_the_right_digest_is_accepted(store: LocalStore) -> None:
    digest = hashlib.sha256(BODY).digest()
    stored = await store.receive(pieces(BODY), limit_bytes=None, expected_sha256=digest)
    assert stored.sha256 == HASH


@pytest.mark.parametrize("digest", [b"", b"\0" * 32, hashlib.sha256(BODY + b"x").digest()])
async def test_a_wrong_digest_is_refused_and_leaves_nothing(
    store: LocalStore, root: Path, digest: bytes
) -> None:
    with pytest.raises(DigestMismatch) as caught:
        await store.receive(pieces(BODY), limit_bytes=None, expected_sha256=digest)
    assert caught.value.code == "digest_mismatch"
    assert files(root) == []


# --- uploads that end early


async def cut_after(count: int) -> AsyncIterator[bytes]:
    async for piece in pieces(BODY[:count]):
        yield piece
    raise ConnectionResetError("the peer went away")


@sees_open_files
@pytest.mark.parametrize("count", [0, 1, len(BODY) // 2, len(BODY) - 1])
async def test_a_cut_upload_leaves_nothing_and_the_next_try_works(
    store: LocalStore, root: Path, count: int
) -> None:
    with pytest.raises(ConnectionResetError):
        await store.receive(cut_after(count), limit_bytes=None)
    assert files(root) == []
    assert open_files(root) == []
    assert (await put(store)).sha256 == HASH


@sees_open_files
async def test_an_upload_cancelled_while_it_waits_for_its_client_leaves_nothing(
    store: LocalStore, root: Path
) -> None:
    waits = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield BODY
        waits.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(store.receive(stalled(), limit_bytes=None))
    async with asyncio.timeout(LIMIT_S):
        await waits.wait()
        assert len(files(root)) == 1
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
    assert files(root) == []
    assert open_files(root) == []


@sees_open_files
async def test_an_upload_cancelled_in_the_middle_of_a_write_ends_after_it_and_leaves_nothing(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, may_write = threading.Event(), threading.Event()
    write = os.write

    def slow_write(descriptor: int, data: bytes) -> int:
        # A blocked disk: were this on the event loop, nobody could ever let it go on.
        entered.set()
        assert may_write.wait(LIMIT_S)
        return write(descriptor, data)

    monkeypatch.setattr("hub.outputs.draft.os.write", slow_write)
    upload = asyncio.create_task(put(store))
    async with asyncio.timeout(LIMIT_S):
        await asyncio.to_thread(entered.wait, LIMIT_S)
        upload.cancel()
        done, _ = await asyncio.wait([upload], timeout=0.05)
        assert not done
        upload.cancel()
        may_write.set()
        with pytest.raises(asyncio.CancelledError):
            await upload
    assert files(root) == []
    assert open_files(root) == []


# --- no room


@pytest.fixture
def file_limit() -> Iterator[int]:
    """The kernel refuses to let a file of this process grow past 1 MiB."""
    limit = 1024 * 1024
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_file_that_may_not_grow_is_told_as_full_storage_and_leaves_nothing(
    store: LocalStore, root: Path, file_limit: int
) -> None:
    with pytest.raises(StorageFull) as caught:
        await put(store, b"x" * (file_limit + 1))
    assert isinstance(caught.value.__cause__, OSError)
    assert files(root) == []
    assert (await put(store, b"x" * file_limit)).size == file_limit


@pytest.mark.parametrize("call", ["write", "fsync", "open"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_or_quota_is_told_as_full_storage_wherever_it_shows(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(f"hub.outputs.draft.os.{call}", refuse)
        with pytest.raises(StorageFull):
            await put(store)
    assert files(root) == []
    assert (await put(store)).sha256 == HASH


async def test_another_disk_error_is_not_called_full_storage(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("hub.outputs.draft.os.fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        await put(store, b"x")
    assert files(root) == []


# --- what is on disk


@sees_open_files
async def test_bytes_are_synced_before_they_get_their_name_and_every_folder_after(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[Path, bool]] = []
    fsync = os.fsync
    place = place_of(root, HASH)

    def noted(descriptor: int) -> None:
        link = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((link, place.exists()))
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", noted)
    await put(store)
    file_syncs = [(link.parent, named) for link, named in synced if link.suffix == ".part"]
    assert file_syncs == [(root / "temporary", False)]
    assert synced[-1] == (place.parent, True)
    assert {place.parent.parent, root / "blobs", root} <= {link for link, _ in synced}


HOSTILE = [
    "",
    "..",
    "../" + HASH,
    "/etc/passwd",
    HASH[:-1],
    HASH + "0",
    HASH + "\n",
    HASH.upper().replace("0", "A"),
    "\N{FULLWIDTH DIGIT ONE}" * 64,
    "\0" * 64,
    "../" * 21 + "x",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_no_other_text_than_a_hash_becomes_a_path(store: LocalStore, name: str) -> None:
    with pytest.raises(BadDigest):
        store.read(name)
    with pytest.raises(BadDigest):
        await store.size(name)
    with pytest.raises(BadDigest):
        await store.remove(name)


async def test_bytes_that_are_gone_are_told_so(store: LocalStore) -> None:
    with pytest.raises(OutputBytesMissing) as caught:
        await get(store, HASH)
    assert caught.value.code == "output_bytes_missing"
    with pytest.raises(OutputBytesMissing):
        await store.size(HASH)


async def test_a_symbolic_link_in_the_place_of_bytes_is_not_followed(
    store: LocalStore, root: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for you")
    await put(store)
    place_of(root, HASH).unlink()
    place_of(root, HASH).symlink_to(secret)
    with pytest.raises(OutputBytesMissing):
        await get(store, HASH)


async def test_a_flipped_bit_never_looks_like_a_complete_download(
    store: LocalStore, root: Path
) -> None:
    await put(store)
    place_of(root, HASH).write_bytes(BODY[:-1] + bytes([BODY[-1] ^ 1]))
    arrived = bytearray()

    async def download() -> None:
        async with aclosing(store.read(HASH, end=len(BODY))) as chunks:
            async for chunk in chunks:
                arrived.extend(chunk)

    with pytest.raises(OutputBytesDamaged):
        await download()
    assert len(arrived) < len(BODY)


async def test_a_shortened_file_is_told_as_damaged(store: LocalStore, root: Path) -> None:
    await put(store)
    os.truncate(place_of(root, HASH), 100)
    with pytest.raises(OutputBytesDamaged):
        await get(store, HASH, 50, 150)
    with pytest.raises(OutputBytesDamaged):
        await get(store, HASH)


@sees_open_files
async def test_a_reader_that_stops_early_closes_the_file(store: LocalStore, root: Path) -> None:
    await put(store)
    async with aclosing(store.read(HASH)) as chunks:
        await anext(chunks)
        assert open_files(root) == [str(place_of(root, HASH))]
    assert open_files(root) == []


@sees_open_files
async def test_a_reader_that_is_cancelled_closes_the_file(store: LocalStore, root: Path) -> None:
    await put(store)
    reads = asyncio.Event()

    async def download() -> None:
        async with aclosing(store.read(HASH)) as chunks:
            async for _ in chunks:
                reads.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(download())
    async with asyncio.timeout(LIMIT_S):
        await reads.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert open_files(root) == []


# --- clearing away


async def test_removed_bytes_are_gone_and_removing_them_again_is_no_error(
    store: LocalStore, root: Path
) -> None:
    await put(store)
    await store.remove(HASH)
    assert files(root) == []
    await store.remove(HASH)


async def test_bytes_that_came_again_outlive_a_removal_that_asks_for_old_ones(
    store: LocalStore, root: Path
) -> None:
    await put(store)
    grow_old(place_of(root, HASH), by_s=7_200)
    await put(store)
    await store.remove(HASH, older_than_s=3_600)
    assert await store.size(HASH) == len(BODY)
    grow_old(place_of(root, HASH), by_s=7_200)
    await store.remove(HASH, older_than_s=3_600)
    assert files(root) == []


async def test_stored_names_what_is_old_enough(store: LocalStore, root: Path) -> None:
    assert [name async for name in store.stored(older_than_s=0)] == []
    names = {(await put(store, bytes([number]))).sha256 for number in range(20)}
    old = min(names)
    grow_old(place_of(root, old), by_s=7_200)
    (place_of(root, old).parent / "notes.txt").write_text("left by somebody")
    assert {name async for name in store.stored(older_than_s=0)} == names
    assert [name async for name in store.stored(older_than_s=3_600)] == [old]


async def test_the_sweep_takes_what_dead_uploads_left_and_spares_running_ones(
    store: LocalStore, root: Path
) -> None:
    assert await store.sweep_temporary(0) == 0
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def paused() -> AsyncIterator[bytes]:
        yield BODY
        waits.set()
        await goes_on.wait()

    upload = asyncio.create_task(store.receive(paused(), limit_bytes=None))
    async with asyncio.timeout(LIMIT_S):
        await waits.wait()
        dead = root / "temporary" / "dead.part"
        dead.write_bytes(b"half")
        grow_old(dead, by_s=90_000)
        assert await store.sweep_temporary(86_400) == 1
        goes_on.set()
        assert (await upload).sha256 == HASH
    assert files(root) == [place_of(root, HASH).relative_to(root)]


# --- memory

PEAK = textwrap.dedent(
    """
    import asyncio, re, sys
    from contextlib import aclosing
    from pathlib import Path
    from hub.outputs.local import LocalStore

    def peak_kib():
        return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

    async def body(mib):
        for number in range(mib * 16):
            yield number.to_bytes(4, "big") * 16_384

    async def round_trip(store, mib):
        stored = await store.receive(body(mib), limit_bytes=None)
        async with aclosing(store.read(stored.sha256)) as chunks:
            size = sum([len(chunk) async for chunk in chunks])
        await store.remove(stored.sha256)
        assert size == stored.size == mib * 1024 * 1024

    async def main():
        store = LocalStore(Path(sys.argv[1]))
        await round_trip(store, 1)
        before = peak_kib()
        await round_trip(store, 300)
        print(peak_kib() - before)

    asyncio.run(main())
    """
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_300_mib_in_and_out_raise_the_peak_memory_by_less_than_64_mib(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(root)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64 * 1024
