"""Reading gzipped IDX files, whole and broken."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.idx import open_idx

HEADER = struct.pack(">4B3I", 0, 0, 8, 3, 5, 2, 3)
PIXELS = bytes(range(30))
WHOLE = gzip.compress(HEADER + PIXELS, mtime=0)


@pytest.fixture
def read(tmp_path):
    def read(content: bytes, dimensions: int = 3, items: int = 2) -> np.ndarray:
        path = tmp_path / "images.gz"
        path.write_bytes(content)
        with open_idx(path, dimensions) as idx:
            return np.concatenate(list(idx.batches(items)))

    return read


@given(st.lists(st.integers(1, 9), min_size=1, max_size=3), st.integers(1, 12))
def test_any_shape_comes_back_in_batches_of_any_size(tmp_path_factory, shape, items):
    path = tmp_path_factory.mktemp("idx") / "data.gz"
    data = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    header = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape)
    path.write_bytes(gzip.compress(header + data.tobytes()))
    with open_idx(path, len(shape)) as idx:
        assert idx.shape == tuple(shape)
        batches = list(idx.batches(items))
    assert [len(batch) for batch in batches[:-1]] == [items] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate(batches), data)


def test_a_file_of_several_gzip_members_is_one_file(read):
    assert read(gzip.compress(HEADER) + gzip.compress(PIXELS)).tobytes() == PIXELS


@pytest.mark.parametrize("header", [b"\0\0\x09\3", b"\0\0\x08\1", b"\0\0\x08\4", b"PK\3\4"])
def test_a_wrong_magic_number_is_named(read, header):
    with pytest.raises(
        RegistryError, match=f"images.gz: expected the IDX magic number 0x00000803, found 0x{header.hex()}"
    ):
        read(gzip.compress(header + HEADER[4:] + PIXELS))


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3), (5, 2, 0)])
def test_a_header_without_data_is_refused(read, shape):
    with pytest.raises(RegistryError, match=r"declares no data: shape \("):
        read(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, *shape)))


@pytest.mark.parametrize("size", range(len(HEADER + PIXELS)))
def test_data_truncated_anywhere_is_refused(read, size):
    with pytest.raises(RegistryError, match="truncated.*\n.*what to do: delete the file"):
        read(gzip.compress((HEADER + PIXELS)[:size]))


@pytest.mark.parametrize("size", range(1, len(WHOLE)))
def test_gzip_truncated_anywhere_is_refused(read, size):
    with pytest.raises(RegistryError, match="truncated|not a sound gzip file"):
        read(WHOLE[:size])


@pytest.mark.parametrize("position", [*range(3), *range(10, len(WHOLE))])
def test_a_flipped_byte_in_gzip_is_noticed(read, position):
    broken = bytearray(WHOLE)
    broken[position] ^= 0xFF
    with pytest.raises(RegistryError, match="images.gz"):
        read(bytes(broken))


@pytest.mark.parametrize("content", [b"<html>not found</html>", HEADER + PIXELS], ids=["html", "plain"])
def test_what_is_not_gzip_is_refused(read, content):
    with pytest.raises(RegistryError, match="not a sound gzip file"):
        read(content)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["no-bytes", "no-data"])
def test_an_empty_file_is_refused(read, content):
    with pytest.raises(RegistryError, match="truncated: wanted 4 more bytes, found 0"):
        read(content)


@pytest.mark.parametrize("more", [b"x", bytes(6)], ids=["byte", "item"])
def test_more_data_than_declared_is_refused(read, more):
    with pytest.raises(RegistryError, match="data goes on after the 5 items"):
        read(gzip.compress(HEADER + PIXELS + more))


def test_junk_behind_the_gzip_stream_is_refused(read):
    with pytest.raises(RegistryError, match="not a sound gzip file"):
        read(WHOLE + b"junk")


@pytest.mark.parametrize("shape", [(2**32 - 1, 28, 28), (5, 2**32 - 1, 2**32 - 1), (1, 2**16, 2**15)])
def test_a_huge_declared_size_with_little_data_costs_no_memory(read, shape):
    tracemalloc.start()
    with pytest.raises(RegistryError, match="truncated"):
        read(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, *shape) + PIXELS), items=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_bomb_behind_a_small_header_is_not_unpacked(read):
    bomb = gzip.compress(HEADER + PIXELS + bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(RegistryError, match="data goes on"):
        read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
