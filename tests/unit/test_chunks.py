"""Cutting documents into chunks: where, under which id, and what is left out."""

import hashlib
import re
import uuid
from collections import Counter

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from test_markdown import MARKDOWN, READMES

from registry.embedding.chunks import alphanumeric_share, chunk, chunk_id, chunk_schema, chunks_of
from registry.errors import RegistryError
from registry.formats.markdown import clean, sections

WORD, TAG = re.compile(r"\w+"), re.compile(r"<[^<>]*>")
OPTIONS = {"size": 800, "overlap": 100, "min_length": 50, "min_alphanumeric": 0.3}
COLUMNS = {"source_repo": "repository", "source_file": "path"}
ALL = OPTIONS | {"min_length": 1, "min_alphanumeric": 0}
SENTENCE = "The registry keeps every version of a dataset where others can find it again. "


def document(text, repository="repo"):
    return {"repository": repository, "path": "README.md", "text": text}


def cut(text, options=OPTIONS, repository="repo"):
    """Return the chunks of a text and what was left out."""
    dropped = Counter()
    return list(chunks_of(document(text, repository), COLUMNS, options, dropped)), dropped


def real(path):
    return path.read_bytes().decode()


@given(MARKDOWN, st.integers(1, 60), st.integers(0, 20))
def test_what_holds_for_the_chunks_of_any_text(text, size, overlap):
    chunks, dropped = cut(text, ALL | {"size": size, "overlap": min(overlap, size - 1)})
    cleaned = clean(text).text
    assert len({one["id"] for one in chunks}) == len(chunks)
    for number, one in enumerate(chunks):
        assert one["chunk_index"] == number
        assert 1 <= len(one["content"]) <= size
        assert one["content"] in cleaned
        assert one["content_sha256"] == hashlib.sha256(one["content"].encode()).hexdigest()
        assert 0 <= one["char_start"] < one["char_end"] <= len(text)
    starts = [one["char_start"] for one in chunks]
    assert starts == sorted(starts)
    visible = Counter(cleaned) - Counter("".join(one["content"] for one in chunks))
    assert dropped["repeated"] or not any(character.isprintable() and character != " " for character in visible)


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.parent.name)
def test_the_chunks_of_a_real_readme(path):
    text = real(path)
    chunks, _ = cut(text)
    cleaned = clean(text).text
    parts = sections(cleaned)
    assert chunks
    for one in chunks:
        place = next(section for section in parts if one["content"] in cleaned[section.start : section.end])
        assert place.headings == (one["section_h1"], one["section_h2"], one["section_h3"])
        assert WORD.findall(one["content"])[0] == WORD.findall(TAG.sub("", text[one["char_start"] :]))[0]
        assert set(WORD.findall(one["content"])) <= set(WORD.findall(text[one["char_start"] : one["char_end"]]))
    assert len({one["id"] for one in chunks}) == len(chunks)


def blocks_of(text, size):
    """Yield the code blocks and tables of a text that fit into `size` characters."""
    lines = text.splitlines(keepends=True)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "table_open"):
            block = "".join(lines[slice(*token.map)]).strip()
            if len(block) <= size:
                yield block


@pytest.mark.parametrize("size", [400, 800, 1200])
def test_code_and_tables_that_fit_are_not_cut(size):
    seen, cut_apart = 0, []
    for path in READMES:
        contents = [one["content"] for one in cut(real(path), ALL | {"size": size})[0]]
        for block in blocks_of(clean(real(path)).text, size):
            seen += 1
            if not any(block in content for content in contents):
                cut_apart.append(f"{path.parent.name}: {block}")
    assert seen > 100
    assert cut_apart == []


def test_a_code_block_that_fits_is_kept_whole_between_paragraphs():
    code = "```python\n" + "value = compute(value)\n" * 20 + "```"
    text = f"# A\n{SENTENCE * 6}\n\n{code}\n\n{SENTENCE * 6}\n"
    assert any(code in one["content"] for one in cut(text)[0])


def test_chunks_end_where_a_section_ends():
    text = "".join(f"# Part {number}\n{SENTENCE}\n" for number in range(4))
    chunks, _ = cut(text)
    assert [one["content"] for one in chunks] == [f"# Part {number}\n{SENTENCE.strip()}" for number in range(4)]
    assert [one["section_h1"] for one in chunks] == [f"Part {number}" for number in range(4)]
    assert [text[one["char_start"] : one["char_end"]] for one in chunks] == [one["content"] for one in chunks]


def test_neighbours_share_up_to_overlap_characters():
    words = " ".join(f"word{number:04}." for number in range(400))
    contents = [one["content"] for one in cut(words)[0]]
    for one, following in zip(contents, contents[1:], strict=False):
        shared = max((length for length in range(101) if one.endswith(following[:length])), default=0)
        assert 50 < shared <= 100
    without = [one["content"] for one in cut(words, OPTIONS | {"overlap": 0})[0]]
    assert " ".join(without) == words


def test_a_readme_has_the_same_ids_whatever_else_there_is():
    one, other = (cut(f"# A\n{SENTENCE}\n# B\n{text}\n")[0] for text in (SENTENCE + "Old.", SENTENCE + "New."))
    assert one[0]["id"] == other[0]["id"]
    assert one[1]["id"] != other[1]["id"]
    moved, _ = cut(f"<!-- new -->\n# New\n{SENTENCE}Brand new.\n# A\n{SENTENCE}\n# B\n{SENTENCE}Old.\n")
    assert [part["id"] for part in moved[1:]] == [part["id"] for part in one]


def test_an_id_is_of_repository_file_headings_and_text():
    places = [
        (["a", "README.md"], ("x", None, None), "text"),
        (["b", "README.md"], ("x", None, None), "text"),
        (["a", "docs/README.md"], ("x", None, None), "text"),
        (["a", "README.md"], (None, "x", None), "text"),
        (["a", "README.md"], ("x", None, None), "text."),
    ]
    ids = [chunk_id(*place) for place in places]
    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(name).version for name in ids} == {5}
    assert ids[0] == "b27c44b8-a6ef-57b9-ae75-3acfbcd6422e"


RST = f"""Title
=====

.. code:: bash

    # Not a heading
    make data

Part
----

{SENTENCE}
"""
ADOC = f"""= Title

----
# Not a heading
----

== Part

{SENTENCE}
"""


@pytest.mark.parametrize(("path", "text"), [("README.rst", RST), ("docs/Readme.ADOC", ADOC), ("README.asciidoc", ADOC)])
def test_what_is_not_markdown_has_no_headings_and_loses_nothing(path, text):
    chunks = list(chunks_of(document(text) | {"path": path}, COLUMNS, ALL, Counter()))
    assert [(one["section_h1"], one["section_h2"], one["section_h3"]) for one in chunks] == [(None,) * 3]
    assert chunks[0]["content"] == text.strip()
    assert text[chunks[0]["char_start"] : chunks[0]["char_end"]] == text.strip()


@pytest.mark.parametrize("path", ["README.md", "README", "README.markdown", "README.txt"])
def test_all_else_is_markdown(path):
    (chunk,) = chunks_of(document(f"# A\n{SENTENCE}") | {"path": path}, COLUMNS, ALL, Counter())
    assert chunk["section_h1"] == "A"


@pytest.mark.parametrize("text", ["", " \n"])
def test_nothing_in_another_markup_has_no_chunk(text):
    assert list(chunks_of(document(text) | {"path": "README.rst"}, COLUMNS, ALL, Counter())) == []


def test_what_is_short_noise_or_repeated_is_left_out_and_counted():
    text = f"# A\n{SENTENCE}\n# B\nshort\n# C\n{'-+' * 40}\n# A\n{SENTENCE}\n"
    chunks, dropped = cut(text)
    assert [one["section_h1"] for one in chunks] == ["A"]
    assert dropped == {"short": 1, "noise": 1, "repeated": 1}
    assert len(cut(text, ALL)[0]) == 3


@pytest.mark.parametrize(
    ("text", "share"), [("", 0), (" \n", 0), ("ab", 1), ("a-", 0.5), ("日本 1!", 0.75), ("😀a", 0.5), ("---", 0)]
)
def test_the_share_of_letters_and_digits(text, share):
    assert alphanumeric_share(text) == share


@pytest.mark.parametrize("text", ["", "\n \n", "<br>", "<!-- all of it -->", "---\n***\n", "😀", "\u0301" * 20])
def test_a_text_that_says_nothing_has_no_chunk(text):
    assert cut(text)[0] == []


@pytest.mark.parametrize(
    "text",
    [
        "w" * 150 + " " + "word " * 40_000,
        "x. " * 66_666,
        "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(20_000)),
        "😀a" * 100_000,
        "e\u0301" * 100_000,
    ],
    ids=["words", "sentences", "no spaces", "emoji", "combining"],
)
def test_a_line_without_end_is_cut(text):
    chunks, _ = cut(text)
    assert max(len(one["content"]) for one in chunks) <= 800
    assert chunks[-1]["char_end"] > len(text) - 900


@pytest.fixture
def run(tmp_path):
    """Return a function that cuts {repository: text} and returns the rows and the report."""

    def run(texts, **options):
        rows = [document(text, repository) for repository, text in texts.items()]
        pl.DataFrame(rows).write_parquet(tmp_path / "documents.parquet")
        counts = chunk(
            [tmp_path / "documents.parquet"], tmp_path / "chunks.parquet", COLUMNS, OPTIONS | options, "a.yaml"
        )
        return pq.read_table(tmp_path / "chunks.parquet"), counts

    return run


def test_the_table_has_all_documents_in_order_and_the_report_counts(run, tmp_path):
    table, counts = run({"b": f"# A\n{SENTENCE}\n## B\n{SENTENCE}", "a": f"{SENTENCE}\n# x\n", "empty": ""})
    assert table.schema.remove_metadata() == chunk_schema(pq.read_schema(tmp_path / "documents.parquet"), COLUMNS)
    assert table["source_repo"].to_pylist() == ["b", "b", "a"]
    assert table["section_h2"].to_pylist() == [None, "B", None]
    assert table["chunk_index"].to_pylist() == [0, 1, 0]
    assert counts == {
        "b/README.md": {"chunks": 2, "short": 0, "noise": 0, "repeated": 0},
        "a/README.md": {"chunks": 1, "short": 1, "noise": 0, "repeated": 0},
        "empty/README.md": {"chunks": 0, "short": 0, "noise": 0, "repeated": 0},
    }
    before = (tmp_path / "chunks.parquet").read_bytes()
    run({"b": f"# A\n{SENTENCE}\n## B\n{SENTENCE}", "a": f"{SENTENCE}\n# x\n", "empty": ""})
    assert (tmp_path / "chunks.parquet").read_bytes() == before


def test_without_any_chunk_it_is_an_error_and_nothing_is_written(run, tmp_path):
    with pytest.raises(RegistryError, match=r"empty corpus: none of 2 documents.*\n.*min_length"):
        run({"a": "short", "b": ""})
    assert {path.name for path in tmp_path.iterdir()} == {"documents.parquet"}


def test_a_document_is_markdown_where_its_format_says_so_and_else_by_its_path():
    text = f"# A\n{SENTENCE}"
    markdown, text_file, page = (
        ({"format": "markdown", "path": "a.rst"}, "A"),
        ({"format": "text", "path": "a.md"}, None),
        ({"format": "html", "path": "a.html"}, "A"),
    )
    for extra, heading in (markdown, text_file, page):
        (found,) = chunks_of(document(text) | extra, COLUMNS, ALL, Counter())
        assert found["section_h1"] == heading


def test_chunks_take_over_what_the_params_say_and_it_is_what_names_them(tmp_path):
    pl.DataFrame({"page": [1, 2], "text": [SENTENCE, SENTENCE]}).write_parquet(tmp_path / "documents.parquet")
    chunk([tmp_path / "documents.parquet"], tmp_path / "chunks.parquet", {"number": "page"}, OPTIONS, "a.yaml")
    table = pq.read_table(tmp_path / "chunks.parquet")
    assert table["number"].to_pylist() == [1, 2]
    assert len({*table["id"].to_pylist()}) == 2


def test_documents_that_are_called_alike_are_an_error(tmp_path):
    rows = [{"source": "a.zip", "path": "x.md", "text": text} for text in (SENTENCE, SENTENCE + "More.")]
    pl.DataFrame(rows).write_parquet(tmp_path / "documents.parquet")
    files = ([tmp_path / "documents.parquet"], tmp_path / "chunks.parquet")
    with pytest.raises(RegistryError, match=r"two documents have the same source: a.zip\n.*params.columns"):
        chunk(*files, {"source": "source"}, OPTIONS, "a.yaml")
    assert not files[1].exists()


def test_documents_are_told_apart_by_each_of_their_columns(tmp_path):
    rows = [{"a": "x/y", "b": "z", "text": SENTENCE}, {"a": "x", "b": "y/z", "text": SENTENCE}]
    pl.DataFrame(rows).write_parquet(tmp_path / "documents.parquet")
    files = ([tmp_path / "documents.parquet"], tmp_path / "chunks.parquet")
    assert len(chunk(*files, {"a": "a", "b": "b"}, OPTIONS, "a.yaml")) == 2


@pytest.mark.parametrize(
    ("content", "words"), [(b"none", "not a sound Parquet file"), (None, "no column text\n.*has page")]
)
def test_what_are_no_documents_is_one_message(tmp_path, content, words):
    path = tmp_path / "documents.parquet"
    path.write_bytes(content) if content else pl.DataFrame({"page": [1]}).write_parquet(path)
    with pytest.raises(RegistryError, match=words):
        chunk([path], tmp_path / "chunks.parquet", {"page": "page"}, OPTIONS, "a.yaml")


def test_a_path_that_is_no_text_tells_no_format():
    document = {"path": 17, "text": f"# A\n{SENTENCE}"}
    (found,) = chunks_of(document, {"page": "path"}, ALL, Counter())
    assert (found["page"], found["section_h1"]) == (17, "A")
