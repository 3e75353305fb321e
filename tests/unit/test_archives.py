"""Archives: their members in one order whatever packed them, none from outside, and no bomb."""

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import struct
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats.archives import Limits, members
from registry.sources.deadline import deadline
from support import examples

FILES = {"a.txt": b"one", "b-1.txt": b"two" * 50_000, "b/1 ä.txt": b"", "b/c/d.txt": b"four"}
CLUTTER = {".DS_Store": b"x", "__MACOSX/._a.txt": b"x", "b/.git/config": b"x"}


def zst(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zst}


def tarred(files, **options):
    """Return a tar of {name: content, or a TarInfo of what has none}."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", **options) as tar:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return sink.getvalue()


def zipped(files, **options):
    """Return a zip of {name: content, or a ZipInfo}."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", **{"compression": zipfile.ZIP_DEFLATED} | options) as archive:
        for name, content in files.items():
            archive.writestr(*((content, b"") if isinstance(content, zipfile.ZipInfo) else (name, content)))
    return sink.getvalue()


def put(folder, name, content):
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(path, **limits):
    """Return {name: content} of all members, in their order."""
    found = {}
    for member in members(path, Limits(**limits)):
        with member.open() as stream:
            found[member.name] = stream.read()
        assert member.size in (None, len(found[member.name]))
    return found


ALL = dict(reversed((FILES | CLUTTER).items()))
ARCHIVES = {
    "x.zip": zipped(ALL),
    "x.ZIP": zipped(ALL, compression=zipfile.ZIP_STORED),
    "x.tar": tarred({f"./{name}": content for name, content in ALL.items()}),
    "x.gnu.tar": tarred(ALL, format=tarfile.GNU_FORMAT),
    "x.pax.tar": tarred(ALL, format=tarfile.PAX_FORMAT),
    **{f"x.tar{suffix}": pack(tarred(ALL)) for suffix, pack in PACKERS.items()},
    "x.tgz": gzip.compress(tarred(ALL)),
    "x.tzst": zst(tarred(ALL)),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_archive_gives_the_same_in_the_same_order(tmp_path, name):
    found = read(put(tmp_path, name, ARCHIVES[name]))
    assert [*found.items()] == [*FILES.items()]


def test_so_does_a_folder(tmp_path):
    for name, content in ALL.items():
        put(tmp_path / "x", name, content)
    assert [*read(tmp_path / "x").items()] == [*FILES.items()]


@pytest.mark.parametrize("pack", ["zip -qr", "tar -cf", "tar -czf", "tar -cJf"])
def test_what_other_programs_pack(tmp_path, pack):
    for name, content in FILES.items():
        put(tmp_path / "in", name, content)
    name = {"zip -qr": "x.zip", "tar -cf": "x.tar", "tar -czf": "x.tgz", "tar -cJf": "x.tar.xz"}[pack]
    try:
        subprocess.run([*pack.split(), f"../{name}", "."], cwd=tmp_path / "in", check=True)
    except FileNotFoundError:
        pytest.skip(f"no {pack.split()[0]}")
    assert [*read(tmp_path / name).items()] == [*FILES.items()]


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_compressed_file_is_one_member(tmp_path, suffix):
    content = FILES["b-1.txt"]
    path = put(tmp_path, f"chats.jsonl{suffix}", PACKERS[suffix](content))
    assert read(path) == {"chats.jsonl": content}
    twice = put(tmp_path, f"chats.jsonl{suffix}", PACKERS[suffix](content) * 2)
    assert read(twice) == {"chats.jsonl": content * 2}


def test_any_other_file_is_its_own_member(tmp_path):
    assert read(put(tmp_path, "a.csv", b"a\n")) == {"a.csv": b"a\n"}
    assert read(put(tmp_path, "a.xlsx", ARCHIVES["x.zip"])) == {"a.xlsx": ARCHIVES["x.zip"]}


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
def test_members_can_be_read_at_once_and_in_pieces(tmp_path, name):
    iterator = members(put(tmp_path, name, ARCHIVES[name]))
    first, second, *_ = (next(iterator).open() for _ in FILES)
    assert first.read(2) + second.read(2) + first.read() + second.read(2) == b"on" + b"tw" + b"e" + b"ot"


def kind(name, type_, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type_, linkname
    return info


def of_mode(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def encrypted():
    """Return a zip whose member says that it is encrypted."""
    content = bytearray(zipped({"a": b"x"}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def twice():
    with pytest.warns(UserWarning, match="Duplicate"):
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("a", b"1")
            archive.writestr("a", b"2")
    return sink.getvalue()


def lying(size):
    """Return a zip whose member says that it has so many bytes."""
    content = bytearray(zipped({"a": b"x" * 1000}))
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        at = content.index(signature) + offset
        content[at : at + 4] = struct.pack("<I", size)
    return bytes(content)


HOSTILE = {
    "zip parent": ("x.zip", zipped({"../a": b"x"}), "leads out of its folder"),
    "zip parent deep": ("x.zip", zipped({"a/../../b": b"x"}), "leads out of its folder"),
    "zip absolute": ("x.zip", zipped({"/etc/passwd": b"x"}), "leads out of its folder"),
    "zip backslash": ("x.zip", zipped({"b\\a": b"x"}), "a name that cannot be taken"),
    "zip line": ("x.zip", zipped({"a\nb": b"x"}), "a name that cannot be taken"),
    "zip link": ("x.zip", zipped({"a": of_mode("a", stat.S_IFLNK | 0o777)}), "a is a link, or no plain file"),
    "zip device": ("x.zip", zipped({"a": of_mode("a", stat.S_IFCHR | 0o777)}), "a is a link, or no plain file"),
    "zip encrypted": ("x.zip", encrypted(), "a is encrypted"),
    "zip bzip2": ("x.zip", zipped({"a": b"x"}, compression=zipfile.ZIP_BZIP2), "a is packed with bzip2"),
    "zip lzma": ("x.zip", zipped({"a": b"x"}, compression=zipfile.ZIP_LZMA), "a is packed with lzma"),
    "zip bomb": ("x.zip", zipped({"a": bytes(3 << 20)}), "unfolds to more than 1,048,576 bytes"),
    "zip of a file and its folder": ("x.zip", zipped({"a": b"", "a/b": b""}), "both a file and a folder"),
    "zip that says less": ("x.zip", lying(10), "not a sound archive: (Bad CRC|a member has not)"),
    "zip that says more": ("x.zip", lying(5000), "not a sound archive: (Bad CRC|a member has not)"),
    "zip bad": ("x.zip", zipped({"a": b"x" * 99}, compression=0).replace(b"xxx", b"xyx", 1), "Bad CRC"),
    "zip empty": ("x.zip", b"", "not a sound archive"),
    "zip cut": ("x.zip", ARCHIVES["x.zip"][:-30], "not a sound archive"),
    "zip that is none": ("x.zip", b"<html>" * 99, "not a sound archive"),
    "zip many": ("x.zip", zipped({str(number): b"" for number in range(21)}), "more than 20 files"),
    "zip of many folders": ("x.zip", zipped({f"{number}/": b"" for number in range(21)}), "more than 20 files and fol"),
    "tar parent": ("x.tar", tarred({"../a": b"x"}), "leads out of its folder"),
    "tar absolute": ("x.tar", tarred({"/a": b"x"}), "leads out of its folder"),
    "tar link": ("x.tar", tarred({"a": kind("a", tarfile.SYMTYPE, "/etc/passwd")}), "a is a link"),
    "tar hard link": ("x.tar", tarred({"a": kind("a", tarfile.LNKTYPE, "b")}), "a is a link"),
    "tar device": ("x.tar", tarred({"a": kind("a", tarfile.CHRTYPE)}), "a is a link, or no plain file"),
    "tar pipe": ("x.tar", tarred({"a": kind("a", tarfile.FIFOTYPE)}), "a is a link, or no plain file"),
    "tar twice": ("x.tar", tarred({"a": b"1"})[:1024] + tarred({"a": b"2"}), "a: there are two of this name"),
    "tar many": ("x.tar", tarred({str(number): b"" for number in range(21)}), "more than 20 files"),
    "tar of many folders": (
        "x.tar",
        tarred({name: kind(name, tarfile.DIRTYPE) for name in map(str, range(21))}),
        "more than 20 files and folders",
    ),
    "tar cut in a member": ("x.tar", tarred({"a": b"x" * 9999})[:3000], "cut off"),
    "tar cut behind one": ("x.tar", tarred({"a": b"x" * 512})[:1024], "cut off"),
    "tar then junk": ("x.tar", tarred({"a": b"x" * 512})[:1024] + b"junk" * 500, "cut off"),
    "tar empty": ("x.tar", b"", "not a sound archive"),
    "tar with a huge header": ("x.tar", tarred({"a" * (2 << 20): b"x"}), "a part of more than"),
    "tar bomb": ("x.tar.gz", gzip.compress(tarred({"a": bytes(3 << 20)})), "unfolds to more than 1,048,576 bytes"),
    "tar not UTF-8": ("x.tar", tarred({"a\udcff": b"x"}, format=tarfile.GNU_FORMAT), "a name that cannot be taken"),
    "gz bomb": ("x.gz", gzip.compress(bytes(3 << 20)), "unfolds to more than 1,048,576 bytes"),
    "zst bomb": ("x.zst", zst(bytes(3 << 20)), "unfolds to more than 1,048,576 bytes"),
    **{f"{suffix} cut": (f"x{suffix}", pack(os.urandom(9999))[:-20], "not a sound archive")
       for suffix, pack in PACKERS.items()},
    **{f"{suffix} none": (f"x{suffix}", b"plain text", "not a sound archive") for suffix in PACKERS},
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_one_clear_error(tmp_path, case):
    name, content, words = HOSTILE[case]
    with pytest.raises(RegistryError, match=f"^{name}: .*{words}"):
        read(put(tmp_path, name, content), max_members=20, free=1 << 20, max_ratio=2)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_two_of_a_name_in_a_zip(tmp_path):
    with pytest.raises(RegistryError, match="x.zip: a: there are two of this name"):
        read(put(tmp_path, "x.zip", twice()))


def test_a_sparse_file_in_a_tar_is_refused(tmp_path):
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 20)
        stream.seek(1 << 19)
        stream.write(b"x")
    subprocess.run(["tar", "-cSf", "x.tar", "sparse"], cwd=tmp_path, check=True)
    with pytest.raises(RegistryError, match="sparse is a link, or no plain file"):
        read(tmp_path / "x.tar")


def test_a_tar_that_leads_back_to_itself_ends(tmp_path):
    content = bytearray(tarred({"a": b"x", ".b": b"y"}))
    content[1024 + 124 : 1024 + 136] = b"\xff" * 10 + struct.pack(">H", 0xFE00)  # -512 bytes: to its own header
    header = content[1024:1536]
    content[1024 + 148 : 1024 + 156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:]))
    with deadline(60), pytest.raises(RegistryError, match="cut off, or not sound"):
        read(put(tmp_path, "x.tar", bytes(content)))


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tar.zst", "x.tar.xz"])
@settings(max_examples=examples(40), deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_a_damaged_archive_is_refused_or_gives_sound_names(tmp_path_factory, name, random: random.Random):
    content = bytearray(ARCHIVES[name])
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(content))
        match random.randrange(3):
            case 0:
                content[at] = random.randrange(256)
            case 1:
                del content[at : at + random.randint(1, 600)]
            case 2:
                content[at:at] = random.randbytes(random.randint(1, 20))
        if not content:
            break
    folder = tmp_path_factory.mktemp("archive")
    try:
        found = read(put(folder, name, bytes(content)))
    except RegistryError as error:
        assert str(error).startswith(f"{name}: ")
    else:
        assert all(os.path.normpath(f"/x/{name}") == f"/x/{name}" for name in found)


NAMES = st.lists(st.text("ab./ \\é\n", min_size=1, max_size=8), min_size=1, max_size=4, unique=True)


@settings(max_examples=examples(100), deadline=None)
@given(names=NAMES, pack=st.sampled_from(["x.zip", "x.tar"]))
def test_names_are_refused_or_lie_below_any_folder(tmp_path_factory, names, pack):
    content = (zipped if pack == "x.zip" else tarred)(dict.fromkeys(names, b"x"))
    try:
        found = read(put(tmp_path_factory.mktemp("archive"), pack, content))
    except RegistryError:
        return
    assert [*found] == sorted(found)
    assert all(os.path.normpath(f"/x/{name}") == f"/x/{name}" for name in found)
