"""Files, folders, globs and standard input, in blocks that fit in memory.

A file is recognised by its content: gzip by its first bytes, JSON lines by a first line that is a whole
JSON object with more to follow. JSON lines come in blocks of whole lines, so a file of any size is read in
the same memory; any other JSON is one block.
"""

from __future__ import annotations

import errno
import gc
import glob
import hashlib
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import msgspec
from zlib_ng import gzip_ng, zlib_ng

STANDARD_INPUT = "-"
HISTORY = "logging://"
"""How a URL begins that :mod:`callerid.sources.cloud` reads."""
BLOCK_BYTES = 1 << 18
"""Enough lines that decoding them at once pays, few enough that a processor's cache holds them and what they
become. Blocks four times as large took a sixth longer, half as large a quarter. A block of lines ends with the last
line that ends within so many bytes, by the content alone: the ledger knows a block by its content."""
DOCUMENT_BYTES = 1 << 30
"""The largest document or line that is unpacked. CloudTrail packs at most 50 MB into a file, which unpacks to a
quarter of this; a gzip bomb must end somewhere."""
AT_ONCE_BYTES = 1 << 26
"""The largest gzip file that is unpacked in one go, packed and unpacked. CloudTrail's are a few megabytes."""
_READ_BYTES = 1 << 18
_GZIP = b"\x1f\x8b"
_MEMBER = re.compile(rb"\x1f\x8b\x08")
"""How every member of a gzip file begins. Sought as a pattern, which takes half the time of ``bytes.find``."""
_HEAD_AND_TRAILER = 18
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_GZIP_ERRORS: tuple[type[Exception], ...] = (EOFError, zlib.error, zlib_ng.error, gzip_ng.BadGzipFile)  # type: ignore[assignment]  # zlib_ng's stub calls its error a value


class _Stream(Protocol):
    """What blocks are read from: plain or unpacked bytes."""

    def read1(self, size: int, /) -> bytes:
        """Return what there is, at most ``size`` bytes, nothing at the end."""


class Block(NamedTuple):
    """A piece of a file: one whole document, or whole lines of JSON."""

    data: bytes
    is_lines: bool
    damage: str | None = None
    """The code of the reason why nothing follows, where the file ends early."""
    detail: str = ""


def settle_memory() -> None:
    """Set a process up that reads one file after another, and ends: it keeps its memory from file to file.

    Records hold no cycles, and looking for some takes a sixth of the time. glibc hands a file's memory back to the
    kernel and asks for it anew with the next one, until it has seen a block of such a size come and go; that saves a
    twentieth. Elsewhere the block is for nothing, and costs nothing: none of it is ever touched.
    """
    gc.disable()
    bytes(_GLIBC_LARGEST)


_GLIBC_LARGEST = 31 << 20
"""Of blocks beyond 32 MiB glibc learns nothing: mallopt(3), M_MMAP_THRESHOLD."""


class NoFileError(Exception):
    """A path that names nothing to read."""


def find(paths: Iterable[str]) -> list[str]:
    """Return the files that paths, folders and patterns name, each once, in a stable order.

    Hidden files of a folder are passed over; one that is named is read.

    Raises:
        NoFileError: for a path that names nothing, or a URL that can't be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        files = sorted(_expand(path))
        if not files:
            is_folder = stat.S_ISDIR(_mode(path) or 0)
            why = "holds no file" if is_folder else "no such file or folder, and no file matches it"
            raise NoFileError(f"{path}: {why}")
        for file in files:
            is_place = file != STANDARD_INPUT and not is_history(file)
            found.setdefault(os.path.realpath(file) if is_place else file, file)
    return list(found.values())


def is_history(path: str) -> bool:
    """Tell a URL of Cloud Logging's history."""
    return path.startswith(HISTORY)


def _expand(path: str) -> Iterator[str]:
    if is_history(path):
        from callerid.sources.cloud import Wanted  # noqa: PLC0415  # only where it is asked for

        Wanted.of(path)
        yield path
        return
    mode = _mode(path)
    if path == STANDARD_INPUT:
        yield path
    elif mode is None:
        for match in glob.glob(path, recursive=True):  # noqa: PTH207  # keeps the spelling that the user gave
            yield from _walk(match) if stat.S_ISDIR(_mode(match) or 0) else (match,)
    elif stat.S_ISDIR(mode):
        yield from _walk(path)
    else:  # also a named pipe, as a shell's process substitution makes one
        yield path


def is_pipe(path: str) -> bool:
    """Tell a named pipe, which can be read once."""
    return stat.S_ISFIFO(_mode(path) or 0)


def _mode(path: str) -> int | None:
    """Return what lies at a path, None where nothing does; 0 where nobody may look, which is to be told."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  # Path takes an empty path for this folder
    except OSError as error:
        return None if error.errno in _NOTHING else 0


def _walk(folder: str) -> Iterator[str]:
    """Yield the regular files below a folder. What can't be listed or looked at is yielded itself, to be told."""
    seen: set[str] = set()
    closed: list[str] = []
    for parent, folders, files in os.walk(
        folder, onerror=lambda error: closed.append(error.filename), followlinks=True
    ):
        seen.add(os.path.realpath(parent))
        shown = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in shown if os.path.realpath(os.path.join(parent, name)) not in seen]  # noqa: PTH118
        paths = (os.path.join(parent, name) for name in files if not name.startswith("."))  # noqa: PTH118
        yield from (path for path in paths if (mode := _mode(path)) == 0 or stat.S_ISREG(mode or 0))
    yield from closed


def printable_name(path: str) -> str:
    """Return a path as text that can be written as UTF-8, whatever bytes the file system holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def size_of(path: str) -> int:
    """Return a file's size in bytes as it lies on disk, 0 where it has none, as a pipe."""
    try:
        return 0 if path == STANDARD_INPUT else Path(path).stat().st_size
    except OSError:
        return 0


def blocks(path: str) -> Iterator[Block]:
    """Yield the blocks of a file. A file that can't be read is one block with that damage."""
    try:
        whole = _at_once(path)
        if whole is not None:
            yield from _whole_blocks(whole)
            return
        with _opened(path) as stream:
            yield from _blocks(_Chunks(_unpacked(stream)))
    except OSError as error:
        yield Block(b"", is_lines=False, damage="file-unreadable", detail=error.strerror or str(error))


class Body(Protocol):
    """What comes over a connection, as the clouds' clients give it."""

    def read(self, amt: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""


class Incoming(io.RawIOBase):
    """A body as a stream that :class:`io.BufferedReader` can look ahead in."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next; 0 at the end."""
        data = self._body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def content_of(block: Block) -> str:
    """Return what a block is known by, wherever it lies."""
    digest = hashlib.sha256(block.data)
    digest.update((block.damage or "").encode())
    return digest.hexdigest()


def stream_blocks(stream: io.BufferedReader) -> Iterator[Block]:
    """Yield the blocks of what comes over a connection. What breaks off is raised, and to be read anew."""
    yield from _blocks(_Chunks(_unpacked(stream)))


@contextmanager
def _opened(path: str) -> Iterator[io.BufferedReader]:
    if path == STANDARD_INPUT and sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    descriptor = sys.stdin.fileno() if path == STANDARD_INPUT else path
    with open(descriptor, "rb", closefd=path != STANDARD_INPUT) as stream:  # a descriptor too
        yield stream


def _at_once(path: str) -> bytes | None:
    """Return what a small gzip file holds; None for every other.

    libdeflate takes two thirds of the time of a stream, but reads one member and says nothing of what follows, and
    can't tell where damage begins. So it is asked only where nothing in the file can begin a further member, and
    believed only where as much came out as the file's last bytes say.
    """
    if not _HEAD_AND_TRAILER < size_of(path) <= AT_ONCE_BYTES:
        return None
    with Path(path).open("rb", buffering=0) as stream:
        packed = stream.read() if stream.read(2) == _GZIP else b""
    unpacked_size = int.from_bytes(packed[-4:], "little")
    if not 0 < unpacked_size <= min(AT_ONCE_BYTES, DOCUMENT_BYTES) or _MEMBER.search(packed):
        return None
    import deflate  # noqa: PLC0415  # the functions read streams alone, and do without

    try:
        data = deflate.gzip_decompress(_GZIP + packed)
    except (deflate.DeflateError, ValueError):
        return None
    # A bytearray, which nobody changes; to copy it would cost a third of what is saved.
    return cast("bytes", data) if len(data) == unpacked_size else None


def _unpacked(stream: io.BufferedReader) -> _Stream:
    packed = stream.peek(2)[:2] == _GZIP
    return gzip_ng.GzipNGFile(fileobj=stream) if packed else stream  # type: ignore[no-untyped-call]


class _Chunks:
    """The pieces of a stream until it ends or turns out to be damaged; ``damage`` says which."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self.damage: str | None = None
        self.detail = ""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                piece = self._stream.read1(_READ_BYTES)
            except _GZIP_ERRORS as error:
                self.damage, self.detail = "gzip-damaged", str(error)
                return
            if not piece:
                return
            yield piece


def _whole_blocks(data: bytes) -> Iterator[Block]:
    """Yield the blocks of what is unpacked already."""
    if data.startswith(_BYTE_ORDER_MARK):  # noqa: FURB188  # a bytearray's removeprefix copies what has none, too
        data = data[len(_BYTE_ORDER_MARK) :]
    if data.find(b"\n", 0, BLOCK_BYTES) < 0 or not _begins_lines(data[:BLOCK_BYTES]):
        yield Block(data, is_lines=False)
        return
    yield from (Block(lines, is_lines=True) for lines in _cut(data))


def _blocks(chunks: _Chunks) -> Iterator[Block]:
    pieces = iter(chunks)
    head = _head(pieces)
    if _begins_lines(head):
        yield from _lines(head, pieces, chunks)
        return
    parts, size = [head], len(head)
    for piece in pieces:
        size += len(piece)
        if size > DOCUMENT_BYTES:
            detail = f"unpacks to more than {DOCUMENT_BYTES >> 20} MiB"
            yield Block(b"", is_lines=False, damage="too-large", detail=detail)
            return
        parts.append(piece)
    yield Block(b"".join(parts), is_lines=False, damage=chunks.damage, detail=chunks.detail)


def _head(pieces: Iterator[bytes]) -> bytes:
    """Return the beginning, up to a piece that ends the second line or to a size that tells."""
    parts: list[bytes] = []
    size = newlines = 0
    for piece in pieces:
        parts.append(piece)
        size, newlines = size + len(piece), newlines + (piece.count(b"\n") if b"\n" in piece else 0)
        if newlines >= 2 or size >= BLOCK_BYTES:
            break
    return b"".join(parts).removeprefix(_BYTE_ORDER_MARK)


def _begins_lines(head: bytes) -> bool:
    """Tell JSON lines: a whole object, then more.

    A half-written first line is forgiven where the second is whole, unless it opens something that goes on,
    as the first line of a document does that is printed over several.
    """
    first, _, rest = head.lstrip().partition(b"\n")
    second = rest.lstrip().partition(b"\n")[0].rstrip()
    if not second:
        return False
    return _is_object(first) or (not first.rstrip().endswith((b"[", b"{", b",", b":")) and _is_object(second))


def _is_object(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _lines(head: bytes, pieces: Iterator[bytes], chunks: _Chunks) -> Iterator[Block]:
    parts, size, has_end = [head], len(head), True
    for piece in pieces:
        parts.append(piece)
        size, has_end = size + len(piece), has_end or b"\n" in piece
        if size > BLOCK_BYTES and has_end:
            *blocks, rest = _cut(b"".join(parts))
            yield from (Block(lines, is_lines=True) for lines in blocks)
            parts, size, has_end = [rest], len(rest), b"\n" in rest
        if size > DOCUMENT_BYTES:
            yield Block(b"", is_lines=True, damage="too-large", detail="a line without an end")
            return
    *blocks, rest = _cut(b"".join(parts))
    yield from (Block(lines, is_lines=True) for lines in blocks)
    yield Block(rest, is_lines=True, damage=chunks.damage, detail=chunks.detail)


def _cut(data: bytes) -> list[bytes]:
    """Return lines in blocks, and last what is left, which may go on.

    It takes more than a block to tell where one ends, so that it makes no difference in which pieces the data came.
    """
    blocks, start, view = [], 0, memoryview(data)  # of which bytes are made at once, were it a bytearray
    while len(data) - start > BLOCK_BYTES:
        end = data.rfind(b"\n", start, start + BLOCK_BYTES) + 1 or data.find(b"\n", start + BLOCK_BYTES) + 1
        if not end:
            break
        blocks.append(bytes(view[start:end]))
        start = end
    return [*blocks, bytes(view[start:])]
