"""Blocks depend on the content alone: not on how it is packed, in which pieces it comes, or which library unpacks it."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callerid.sources import files
from tests.conftest import entry, json_lines, packed, record

LINES = json_lines(*(record(number) for number in range(40)))
DOCUMENT = b'{"Records": [' + json_lines(*(record(number) for number in range(40))).replace(b"\n", b",")[:-1] + b"]}"
BLOCK = 3000


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(files, "BLOCK_BYTES", BLOCK)


class Drops:
    """A body that comes in pieces of given sizes, over and over."""

    def __init__(self, data, sizes):
        self._stream = io.BytesIO(data)
        self._sizes = sizes
        self._turn = 0

    def read(self, amt):
        self._turn += 1
        return self._stream.read(min(amt, self._sizes[self._turn % len(self._sizes)]))


def streamed(data, sizes=(1 << 20,)):
    return list(files.stream_blocks(io.BufferedReader(files.Incoming(Drops(data, sizes)))))


def test_lines_are_cut_where_a_block_is_full(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(LINES)
    blocks = list(files.blocks(str(path)))
    assert b"".join(block.data for block in blocks) == LINES
    assert len(blocks) > 5
    assert all(len(block.data) <= BLOCK and block.data.endswith(b"\n") for block in blocks)


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 1000), (BLOCK,), (BLOCK + 1, 2)])
@pytest.mark.parametrize("data", [LINES, LINES[:-1], DOCUMENT, LINES + b"x" * 2 * BLOCK + b"\n" + LINES])
def test_the_pieces_that_something_comes_in_change_no_block(data, sizes):
    assert streamed(data, sizes) == streamed(data)


@pytest.mark.parametrize("data", [LINES, DOCUMENT, b"\xef\xbb\xbf" + LINES, LINES[:BLOCK] * 9])
def test_a_packed_file_has_the_blocks_of_a_plain_one(data, tmp_path):
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "packed").write_bytes(packed(data))
    assert list(files.blocks(str(tmp_path / "packed"))) == list(files.blocks(str(tmp_path / "plain")))


def test_a_usual_gzip_file_is_unpacked_at_once(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(packed(DOCUMENT))
    assert files._at_once(str(path)) == DOCUMENT


HALF = json_lines(entry())
SPOILED = {
    "a second member": packed(LINES, LINES[: len(HALF)]),
    "the same member twice": packed(LINES, LINES),
    "a second member as long as the first": packed(HALF, HALF.replace(b"a", b"b")),
    "zeros behind it": packed(LINES) + b"\0" * 8,
    "something behind it": packed(LINES) + b"something",
    "a truncated one": packed(LINES)[:-9],
    "one without its trailer": packed(LINES)[:-8],
    "one with a wrong checksum": packed(LINES)[:-8] + b"\1\2\3\4" + packed(LINES)[-4:],
    "one with a wrong size": packed(LINES)[:-4] + b"\0\0\0\1",
    "an empty one": packed(b""),
    "a head alone": packed(LINES)[:10],
}


@pytest.mark.parametrize("what", SPOILED)
def test_every_other_gzip_file_is_read_as_a_stream_is(what, tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(SPOILED[what])
    assert files._at_once(str(path)) is None
    assert list(files.blocks(str(path))) == streamed(SPOILED[what])


@given(
    members=st.lists(st.sampled_from([LINES, DOCUMENT, HALF, HALF * 2, b"", b"{}\n"]), min_size=1, max_size=3),
    behind=st.sampled_from([b"", b"\0", b"\0" * 600, b"\x1f\x8b", b"{}"]),
    cut=st.integers(0, 40),
    flip=st.one_of(st.none(), st.tuples(st.integers(0, 5000), st.integers(1, 255))),
)
def test_whatever_a_file_holds_nothing_is_lost_by_unpacking_it_at_once(members, behind, cut, flip, tmp_path_factory):
    data = bytearray(b"".join(gzip.compress(member, mtime=0) for member in members) + behind)
    if flip and flip[0] < len(data):
        data[flip[0]] ^= flip[1]
    data = bytes(data[: len(data) - cut])
    path = tmp_path_factory.mktemp("gzip") / "a.gz"
    path.write_bytes(data)
    whole = files._at_once(str(path))
    if whole is not None:
        assert whole == gzip.decompress(data)
        assert list(files.blocks(str(path))) == streamed(data)
