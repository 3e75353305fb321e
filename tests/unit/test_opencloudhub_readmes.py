"""From READMEs in raw/ to the table, what cleaning does to it, and its metadata."""

import json

import polars as pl
import pyarrow.parquet as pq
import pytest

from analyzing import rule
from opencloudhub_readmes.analyze import measure
from opencloudhub_readmes.download import open_source
from opencloudhub_readmes.process import SCHEMA, count_lines, process
from registry.config.load import SAMPLES, read_yaml
from registry.config.schema import validate
from registry.describe.description import describe
from registry.errors import RegistryError
from registry.sources.readmes import Listing, Readme, blob_sha, write_corpus
from support import ROOT

NAME = "opencloudhub-readmes"
GOOD = "# Grüße\n".encode()
LATIN = "# Grüße\n".encode("latin-1")
BOM = b"\xef\xbb\xbf"
HUGE = b"x" * 101
PROBLEMS = {"not_utf8": "fail", "empty": "fail", "huge": "fail"}


class Given:
    """A source of READMEs given as {repository: bytes, or None for none}."""

    def __init__(self, readmes):
        self.readmes = readmes

    def repositories(self):
        return list(self.readmes)

    def readme(self, repository):
        content = self.readmes[repository]
        return None if content is None else Readme("docs/README.md", content)


@pytest.fixture
def run(tmp_path):
    """Return a function that processes READMEs and returns the rows and the report of cleaning."""

    def run(readmes, **problems):
        raw, folder, cleaning = tmp_path / "raw", tmp_path / "processed", tmp_path / "cleaning.json"
        write_corpus(raw, Given(readmes), mode="mirror", api="https://x.test", organisation="Org")
        process(raw, folder, cleaning, {"max_bytes": 100, "problems": PROBLEMS | problems})
        return pl.read_parquet(folder / "documents.parquet").to_dicts(), json.loads(cleaning.read_text())

    return run


@pytest.fixture
def refused(run, tmp_path):
    """Return a function that processes, expects a RegistryError and no output, and returns the message."""

    def refused(*arguments, **options):
        with pytest.raises(RegistryError) as caught:
            run(*arguments, **options)
        assert {path.name for path in tmp_path.iterdir()} == {"raw", ".raw"}
        return str(caught.value)

    return refused


@pytest.fixture
def dataset():
    content = read_yaml(ROOT / f"config/datasets/{NAME}.yaml")
    validate(content, "dataset", where=NAME)
    return {"name": NAME, "source": "samples", **content}


def test_one_row_a_readme_in_the_order_of_names(run, tmp_path):
    rows, cleaning = run({"b": b"two\nlines", "B2": GOOD, "none": None, "a": b"one\r\n"})
    assert rows == [
        {"repository": name, "path": "docs/README.md", "sha": blob_sha(content), "size": size, "lines": lines}
        | {"text": text}
        for name, content, size, lines, text in [
            ("B2", GOOD, 10, 1, "# Grüße\n"),
            ("a", b"one\r\n", 5, 1, "one\r\n"),
            ("b", b"two\nlines", 9, 2, "two\nlines"),
        ]
    ]
    assert pq.read_schema(tmp_path / "processed" / "documents.parquet").equals(SCHEMA)
    assert [path.name for path in (tmp_path / "processed").iterdir()] == ["documents.parquet"]
    assert cleaning["found"] == cleaning["kept"] == 3
    assert cleaning["defects"]["huge"] == {"policy": "fail", "repositories": []}


def test_the_table_is_the_same_to_the_byte_each_time(run, tmp_path):
    run({"a": GOOD, "b": b"x"})
    before = (tmp_path / "processed" / "documents.parquet").read_bytes()
    run({"a": GOOD, "b": b"x"})
    assert (tmp_path / "processed" / "documents.parquet").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "lines"), [("a", 1), ("a\n", 1), ("a\nb", 2), ("a\r\nb\r\n", 2), ("\u2028", 1), ("\n\n", 2)]
)
def test_lines_are_counted_as_editors_do(text, lines):
    assert count_lines(text) == lines


DEFECTS = [
    ("not_utf8", LATIN),
    ("not_utf8", b"cut off \xe2\x82"),
    ("control_characters", b"a\0b"),
    ("control_characters", "no mark".encode("utf-16-le")),
    ("control_characters", b"\x1b[2J"),
    ("empty", "\u200b\u2060".encode()),
    ("empty", b""),
    ("empty", b" \r\n\t\n"),
    ("empty", "\u00a0\u3000".encode()),
    ("empty", BOM + b"\n"),
    ("huge", HUGE),
    ("huge", b" " * 101),
    ("huge", b"\xff" * 101),
]


@pytest.mark.parametrize(("defect", "content"), DEFECTS)
def test_drop_leaves_a_readme_out_and_counts_it(run, defect, content):
    rows, cleaning = run({"bad": content, "good": GOOD}, **{defect: "drop"})
    assert [row["repository"] for row in rows] == ["good"]
    assert (cleaning["found"], cleaning["kept"]) == (2, 1)
    assert cleaning["defects"][defect] == {"policy": "drop", "repositories": ["bad"]}
    assert sum(len(facts["repositories"]) for facts in cleaning["defects"].values()) == 1


@pytest.mark.parametrize(("defect", "content"), DEFECTS)
def test_fail_names_the_readme(refused, defect, content):
    policies = dict.fromkeys(("not_utf8", "empty", "huge"), "drop") | {defect: "fail"}
    assert f"    {defect}: bad\n" in refused({"bad": content, "good": GOOD}, **policies)


def test_fail_names_all_offenders_at_once(refused):
    message = refused({"a": LATIN, "b": b"", "c": HUGE, "d": LATIN, "good": GOOD}, empty="drop")
    assert "    not_utf8: a, d\n    huge: c\n" in message
    assert "empty" not in message


def test_replace_keeps_what_can_be_read(run):
    rows, cleaning = run({"bad": LATIN}, not_utf8="replace")
    assert rows[0]["text"] == "# Gr\ufffd\ufffde\n"
    assert rows[0]["sha"] == blob_sha(LATIN)
    assert rows[0]["size"] == 8
    assert cleaning["defects"]["not_utf8"] == {"policy": "replace", "repositories": ["bad"]}
    assert cleaning["kept"] == 1


def test_control_characters_are_replaced(run):
    rows, cleaning = run({"bad": b"a\0b\tc\r\n\x1b[2J"}, control_characters="replace")
    assert rows[0]["text"] == "a\ufffdb\tc\r\n\ufffd[2J"
    assert cleaning["defects"]["control_characters"] == {"policy": "replace", "repositories": ["bad"]}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_utf_16_is_refused_where_other_bytes_are_replaced(run, refused, encoding):
    readmes = {"bad": "# Grüße\n".encode(encoding), "good": GOOD}
    for policy in ("replace", "fail"):
        assert "    utf_16: bad\n" in refused(readmes, not_utf8=policy)
    rows, cleaning = run(readmes, not_utf8="drop")
    assert [row["repository"] for row in rows] == ["good"]
    assert cleaning["defects"]["utf_16"] == {"policy": "drop", "repositories": ["bad"]}


def test_a_text_that_holds_the_replacement_character_is_utf_8(run):
    assert run({"a": "\ufffd".encode()})[0][0]["text"] == "\ufffd"


def test_a_byte_order_mark_is_stripped_and_counted(run):
    rows, cleaning = run({"a": BOM + GOOD, "b": GOOD, "c": BOM}, empty="drop")
    assert [row["text"] for row in rows] == ["# Grüße\n"] * 2
    assert [row["size"] for row in rows] == [13, 10]
    assert cleaning["byte_order_marks_removed"] == ["a"]


def test_max_bytes_itself_is_not_huge(run):
    assert len(run({"a": b"x" * 100})[0]) == 1


@pytest.mark.parametrize("readmes", [{}, {"a": None}, {"a": b"", "b": b"\n"}])
def test_an_empty_corpus_is_an_error(refused, readmes):
    message = refused(readmes, empty="drop")
    assert "empty corpus" in message
    assert "what to do: " in message
    assert ("empty: 2" in message) == ("b" in readmes)


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"junk")])
def test_a_raw_folder_that_is_not_what_its_index_says(run, tmp_path, change):
    run({"a": GOOD, "b": GOOD})
    change(tmp_path / "raw" / "b.md")
    with pytest.raises(RegistryError, match=r"b\.md: missing, or not the file that index\.json names"):
        process(tmp_path / "raw", tmp_path / "again", tmp_path / "again.json", {"max_bytes": 100, "problems": PROBLEMS})
    assert not (tmp_path / "again").exists()


def test_each_mode_has_its_source_and_only_upstream_needs_the_token(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("GITHUB_TOKEN", "not a token")
    place = {"dataset": NAME, "mirror": SAMPLES, "api": "https://x.test", "organisation": "Org"}
    assert open_source("samples", **place).repositories() == open_source("mirror", **place).repositories()
    with pytest.raises(RegistryError, match="GITHUB_TOKEN"):
        open_source("upstream", **place)


def analyzed(folder, dataset, mode="samples"):
    """Describe what was processed, and return metadata.json."""
    documents = folder / "processed" / "documents.parquet"
    index, cleaning = (json.loads((folder / name).read_text()) for name in ("raw/index.json", "cleaning.json"))
    with describe(rule(folder, dataset, folder / "processed", mode), pq.read_schema(documents)) as about:
        measure(about, documents, index, cleaning)
    return json.loads((folder / "metadata.json").read_text())


@pytest.mark.parametrize("mode", ["samples", "mirror"])
def test_metadata_and_manifest_of_the_samples(dataset, tmp_path, mode):
    raw, cleaning = tmp_path / "raw", tmp_path / "cleaning.json"
    write_corpus(raw, Listing(str(ROOT / SAMPLES), NAME), mode=mode, **dataset["sources"]["github"])
    process(raw, tmp_path / "processed", cleaning, dataset["params"])
    metadata = analyzed(tmp_path, dataset | {"source": mode}, mode)
    summary = metadata["summary"]
    sizes = {path.stem: path.stat().st_size for path in raw.glob("*.md")}
    assert summary["bytes_distribution"] == sizes
    assert (summary["files"], summary["repositories"], summary["without_readme"]) == (13, 13, 0)
    assert summary["bytes"] == sum(sizes.values())
    assert summary["lines"] == sum(len(path.read_bytes().splitlines()) for path in raw.glob("*.md"))
    assert set(summary["cleaning"].values()) == {0}
    assert metadata["metrics"]["all"]["bytes_max"] == max(sizes.values())
    manifest = pl.read_parquet(tmp_path / "manifest.parquet")
    assert manifest["key"].to_list() == sorted(sizes)
    assert set(manifest["split"]) == {"all"}
    provenance = json.loads((tmp_path / "provenance.json").read_text())
    assert provenance["source"]["mode"] == mode
    assert provenance["contract"]["passed"]


def test_a_readme_that_changes_moves_its_row_of_the_manifest_alone(dataset, run, tmp_path):
    dataset["contract"]["rows"] = {"samples": {"all": {"min": 1}}}
    found = []
    for text in (b"old", b"new"):
        run({"a": GOOD, "b": text, "none": None})
        metadata = analyzed(tmp_path, dataset)
        found.append(pl.read_parquet(tmp_path / "manifest.parquet"))
        assert metadata["summary"]["repositories"] == 3
    assert found[0].row(0) == found[1].row(0)
    assert found[0]["key"].to_list() == found[1]["key"].to_list() == ["a", "b"]
    for column in ("sample_id", "input_id"):
        assert found[0][column][1] != found[1][column][1]
