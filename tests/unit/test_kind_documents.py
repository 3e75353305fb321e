"""The kind `documents`: which files are found, and what is wrong with some."""

import io
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from opencloudhub_readmes import process as opencloudhub_readmes
from pictures import spoiled, zipped
from registry.config.schema import breaches
from registry.errors import RegistryError
from registry.kinds import documents
from registry.kinds.documents import COLUMNS, as_text, count_lines, is_wanted, read
from registry.kinds.rows import Rows
from registry.sources.subsample import Subsample
from support import ROOT

SCHEMA = ROOT / "scripts/registry/kinds/documents.schema.yaml"
SPECS = {name: {"dtype": "string" if dtype == pl.String else "int64"} for name, dtype in COLUMNS.items()}
CONTRACT = {name: SPECS[name] for name in ("path", "text")}
FILES = {
    "guide/one.md": b"# One\r\n\r\nText",
    "guide/Two.MARKDOWN": b"\xef\xbb\xbfTwo\n",
    "notes/three.txt": "Drei: äöü\n".encode(),
    "logo.png": b"\x89PNG",
    "guide/.hidden.md": b"# Hidden",
    "__MACOSX/guide/._one.md": b"\x00",
}
FOUND = {"guide/Two.MARKDOWN": "Two\n", "guide/one.md": "# One\r\n\r\nText", "notes/three.txt": "Drei: äöü\n"}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """Write files into a zip, a tar or a folder, whichever this is named as."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif ".tar" in path.suffixes:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    else:
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return path


def everything(files: dict[str, Path], contract=CONTRACT, **params) -> tuple[pl.DataFrame, list[Rows], Counter]:
    """Return all samples that are read, how they came, and what was counted beside them."""
    parts = [*read(files, contract, params)]
    counts = sum((Counter(part.counts) for part in parts), Counter())
    return pl.concat([part.samples for part in parts]), parts, counts


def problems(folder: Path, contents: list[bytes], **params) -> dict[str, list[bool]]:
    """Return which of the documents with these bytes have which problem."""
    files = {f"{number:03}.md": content for number, content in enumerate(contents)}
    _, parts, _ = everything({"docs": packed(folder / "docs", files)}, **params)
    names = parts[0].problems
    return {name: [flag for part in parts for flag in part.problems[name]] for name in names}


def test_a_document_stays_where_one_that_says_the_same_is_dropped(tmp_path):
    contents = ["same".encode("utf-16"), b"same", b"same"]
    assert problems(tmp_path, contents)["duplicates"] == [False, True, True]
    assert problems(tmp_path, contents, problems={"not_utf8": "drop"})["duplicates"] == [False, False, True]


def test_an_encoding_that_is_none_is_refused(tmp_path):
    with pytest.raises(RegistryError, match="there is no encoding 'bogus'"):
        problems(tmp_path, [b"a"], encoding="bogus")


@pytest.mark.parametrize("name", ["docs.zip", "docs.tar", "docs.tar.gz", "docs"])
def test_documents_are_found_in_folders_and_archives(tmp_path, name):
    samples, parts, counts = everything({name: packed(tmp_path / name, FILES)})
    assert counts["hidden_files"] == 2
    assert dict(samples.rows()) == FOUND
    assert {key for part in parts for key in part.keys} == {f"{name}/{path}" for path in FOUND}
    assert counts["other_files"] == 1


def test_documents_can_be_source_files_one_by_one(tmp_path):
    packed(tmp_path, FILES)
    files = {name: tmp_path / name for name in ("notes/three.txt", "guide/one.md")}
    samples, parts, _ = everything(files, SPECS)
    assert samples.rows() == [
        ("notes/three.txt", "notes/three.txt", "text", 13, 1, "Drei: äöü\n"),
        ("guide/one.md", "guide/one.md", "markdown", 13, 3, "# One\r\n\r\nText"),
    ]
    assert [key for part in parts for key in part.keys] == ["notes/three.txt", "guide/one.md"]


def test_readmes_are_read_as_the_dataset_of_them_reads_them():
    readmes = sorted((ROOT / "data/samples/opencloudhub-readmes").rglob("*.md"))
    samples, _, _ = everything({path.parent.name: path for path in readmes}, SPECS, include=["*"])
    texts = [opencloudhub_readmes.as_text(path.read_bytes(), 1_000_000)[0] for path in readmes]
    assert samples["text"].to_list() == texts
    assert samples["lines"].to_list() == [*map(opencloudhub_readmes.count_lines, texts)]
    assert samples["size"].to_list() == [path.stat().st_size for path in readmes]


def test_pages_are_read_as_what_shows_of_them(tmp_path):
    pages = {
        "a.html": "<title>A</title><p>größer".encode(),
        "b.HTM": "<meta charset=iso-8859-1><p>größer\x80".encode("latin-1"),
        "c.html": "<p>größer".encode("utf-16"),
        "d.html": b"<p>gr\xf6\xdfer",
        "e.html": b"<script>x</script>",
        "f.html": b"<b>" * 3_000 + b"x",
    }
    samples, parts, _ = everything({"docs": packed(tmp_path / "docs", pages)}, SPECS)
    assert samples.select("path", "format", "lines", "text").rows() == [
        ("a.html", "html", 3, "# A\n\ngrößer\n"),
        ("b.HTM", "html", 1, "größer€\n"),
        ("c.html", "html", 1, "größer\n"),
        ("d.html", "html", 1, "gr\ufffd\ufffder\n"),
        ("e.html", "html", 0, ""),
        ("f.html", "html", 0, ""),
    ]
    found = {name: [*flags] for name, flags in parts[0].problems.items() if any(flags)}
    assert {name: flags.index(True) for name, flags in found.items()} == {"not_utf8": 3, "empty": 4, "nested": 5}
    samples, _, _ = everything({"docs": tmp_path / "docs"}, encoding="cp1252", include=["d.html", "b.htm"])
    assert samples["text"].to_list() == ["größer€\n", "größer\n"]
    assert everything({"page.html": tmp_path / "docs" / "a.html"})[0]["path"].to_list() == ["page.html"]


def test_nothing_depends_on_how_many_are_in_memory(tmp_path, monkeypatch):
    files = {"docs": packed(tmp_path / "docs", FILES | {"zz.md": FILES["guide/one.md"]})}
    whole = everything(files)
    monkeypatch.setattr(documents, "AT_ONCE", 1)
    parted = everything(files)
    assert parted[0].equals(whole[0])
    flags = [[flag for part in parts for flag in part.problems["duplicates"]] for _, parts, _ in (whole, parted)]
    assert flags[0] == flags[1]
    assert sum(flags[0]) == 1
    assert parted[2] == whole[2]


def test_what_a_document_is_can_be_said(tmp_path):
    samples, _, counts = everything({"docs": packed(tmp_path / "docs", FILES)}, include=["guide/*", "*.TXT"])
    assert set(samples["path"]) == FOUND.keys()
    assert counts["other_files"] == 1
    assert everything({"docs": tmp_path / "docs"}, include=["two.*"])[0]["path"].to_list() == ["guide/Two.MARKDOWN"]


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [
        ("a/b.md", "*.md", True),
        ("a/b.MD", "*.md", True),
        ("a/b.md", "a/*", True),
        ("x/a/b.md", "a/*", False),
        ("a/b/c.md", "a/*.md", True),
        ("a.md/b", "*.md", False),
        ("STRASSE.md", "straße.md", True),
    ],
)
def test_a_pattern_matches_a_name_or_a_path(path, pattern, found):
    assert is_wanted(path, [pattern]) == found


def test_problems_are_found(tmp_path):
    contents = [b"a", b"\xff", b" \n", b"", "\u200b".encode(), b"a\x00", b"a", b"a" * 11, b"\xffa", b"\xef\xbb\xbf"]
    found = problems(tmp_path, contents, max_bytes=10)
    assert {name: [place for place, flag in enumerate(flags) if flag] for name, flags in found.items()} == {
        "not_utf8": [1, 8],
        "control_characters": [5],
        "empty": [2, 3, 4, 9],
        "huge": [7],
        "nested": [],
        "duplicates": [6],
    }


@pytest.mark.parametrize(
    ("content", "options", "text", "found"),
    [
        (b"\xe4", {}, "\ufffd", ["not_utf8"]),
        (b"\xe4\x01", {}, "\ufffd\x01", ["not_utf8", "control_characters"]),
        (b"\xe4", {"encoding": "cp1252"}, "ä", []),
        ("Ä\n".encode("utf-16"), {}, "Ä\n", ["not_utf8"]),
        ("Ä\n".encode("utf-32"), {}, "Ä\n", ["not_utf8"]),
        (b"\xff\xfe", {}, "", ["not_utf8", "empty"]),
        (b"\xff\xfea", {}, "\ufffd", ["not_utf8"]),
        (b"ab", {"max_bytes": 1}, "", ["huge"]),
        (b"ab", {"max_bytes": 2}, "ab", []),
    ],
)
def test_bytes_are_read_as_text(content, options, text, found):
    assert as_text(content, **options) == (text, found)


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)])
def test_lines_are_counted(text, lines):
    assert count_lines(text) == lines


def test_splits_are_drawn_by_the_text_or_follow_from_the_source(tmp_path):
    files = {
        "a.zip": packed(tmp_path / "a.zip", {f"{number}.md": b"%d" % number for number in range(50)}),
        "b.zip": packed(tmp_path / "b.zip", {f"x{number}.md": b"%d" % number for number in range(50)}),
    }
    samples, parts, _ = everything(files, split={"ratios": {"train": 0.5, "val": 0.5}})
    drawn = samples.with_columns(pl.concat([part.splits for part in parts]).alias("split"))
    assert drawn.group_by("text").agg(pl.col("split").n_unique())["split"].max() == 1
    assert drawn["split"].n_unique() == 2
    _, parts, _ = everything(files, split={"files": {"train": ["a.zip"], "val": ["b.zip"]}})
    assert pl.concat([part.splits for part in parts]).to_list() == ["train"] * 50 + ["val"] * 50


def test_no_documents_are_an_error(tmp_path):
    with pytest.raises(RegistryError, match="no document is found in docs"):
        everything({"docs": packed(tmp_path / "docs", {"logo.png": b""})})


def test_columns_that_documents_have_not_are_named(tmp_path):
    with pytest.raises(RegistryError, match="documents have no author, title\n"):
        everything({}, CONTRACT | {"author": {"dtype": "string"}, "title": {"dtype": "string"}})


def test_documents_without_texts_are_none():
    with pytest.raises(RegistryError, match="documents have a column text"):
        everything({}, {"path": SPECS["path"]})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"problems": {"huge": "keep"}}, "'keep' is not one of ['fail', 'drop']"),
        ({"include": []}, "include"),
        ({"text": "text"}, "'text' was unexpected"),
    ],
)
def test_params_that_are_wrong_are_named(params, message):
    assert message in "\n".join(breaches(params, SCHEMA))


@pytest.mark.parametrize("sample", [{"rows": 3}, {"fraction": 0.2, "seed": 1}])
def test_a_part_of_the_documents_is_taken_and_no_other_is_read(tmp_path, sample):
    files = {f"d/{number:02}.md": f"this is the text of {number:02}".encode() for number in range(40)}
    drawn = [*files][:3] if "rows" in sample else [*filter(Subsample(**sample).takes, files)]
    assert 2 < len(drawn) < 20
    damaged = [content for name, content in files.items() if name not in drawn]
    (tmp_path / "a.zip").write_bytes(spoiled(zipped(files | {"logo.png": b""}), damaged))
    samples, _, counts = everything({"a.zip": tmp_path / "a.zip"}, sample=sample)
    assert samples["path"].to_list() == drawn
    assert counts["other_files"] == 1
