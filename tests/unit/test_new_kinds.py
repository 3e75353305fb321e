"""`registry new` of pictures with captions or labels, wherever these are, of documents, and of rows without quotes."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from registry.authoring.check import check
from registry.authoring.drafts import Wishes
from registry.authoring.new import New, new, write
from registry.authoring.sample import MOST_BYTES
from registry.config.load import load_datasets
from registry.errors import RegistryError
from registry.files import data_files
from registry.formats.archives import members
from registry.kinds.files import Format
from registry.storage.repository import read_config
from support import ROOT

SAID = "what picture {} shows, in words that are as long as those of captions are"
MESSAGES = {"list": {"struct": {"role": {"values": ["user", "assistant"]}, "content": {"min_length": 1}}}}
CAPTION = {"dtype": "string", "min_length": 1}
CAPTIONED = {"image": {"dtype": "binary"}, "caption": CAPTION, "messages": MESSAGES}
PROMPT = {"prompt": {"name": "caption", "version": 1, "registry": "file"}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A registry without datasets."""
    root = tmp_path / "registry"
    (root / "config" / "datasets").mkdir(parents=True)
    shutil.copytree(ROOT / "config" / "prompts", root / "config" / "prompts")
    (root / "config" / "config.yaml").write_bytes((ROOT / "config" / "config.yaml").read_bytes())
    (root / "scripts").symlink_to(ROOT / "scripts")
    return root


def added(root: Path, *sources: Path, wishes: Wishes | None = None, **layout) -> New:
    """Add the dataset `things` made of these sources, as small as it must be, and check its sample."""
    with new(root, "things", [*map(str, sources)], Format(**layout), wishes or Wishes()) as made:
        write(root, made)
    assert made.text.count("\n") <= 40
    samples = root / "data" / "samples" / "things"
    assert 0 < sum(path.stat().st_size for path in data_files(samples)) <= MOST_BYTES
    rows = made.content["contract"]["rows"]["samples"]
    told = check(root, "things", load_datasets(read_config(root), root))
    assert told.endswith(f"the contract of their {sum(one['min'] for one in rows.values()):,} rows")
    return made


def photo(number: int, side: int = 20) -> bytes:
    """Return a picture that is like no other, and that nothing packs."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def files(folder: Path, contents: dict[str, bytes | str]) -> Path:
    """Write files into a folder."""
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def packed(folder: Path, form: str | None) -> Path:
    return Path(shutil.make_archive(str(folder), form, folder)) if form else folder


def captioned(number: int, side: int = 20, folder: str = "") -> dict[str, bytes | str]:
    names = [f"{folder}{place:03}" for place in range(number)]
    return {f"{name}.png": photo(place, side) for place, name in enumerate(names)} | {
        f"{name}.txt": SAID.format(place) for place, name in enumerate(names)
    }


@pytest.mark.parametrize("form", [None, "zip", "gztar"])
def test_texts_beside_pictures_are_captions(root, tmp_path, form):
    # Of a picture without a text, and of a text alone, too.
    source = files(tmp_path / "scans", captioned(8, folder="a/") | {"a/x.png": photo(99), "README.txt": "Scans"})
    made = added(root, packed(source, form))
    assert made.content["kind"] == "captions"
    assert made.content["versioning"] == "folder"
    assert made.content["params"] == PROMPT | {"problems": {"missing_files": "drop", "empty_captions": "drop"}}
    assert made.content["contract"]["columns"] == CAPTIONED
    assert made.content["contract"]["rows"] == {"upstream": {"all": {"min": 8}}, "samples": {"all": {"min": 8}}}
    assert made.content["contract"]["unique"]
    assert not made.facts.left_out, "a text alone is missing_files"
    sampled = [member.name for member in members(root / "data" / "samples" / "things" / made.samples.popitem()[0])]
    assert len(sampled) == 16 and "a/x.png" not in sampled


def test_a_picture_and_its_caption_are_together_in_the_sample(root, tmp_path):
    made = added(root, packed(files(tmp_path / "scans", captioned(60, side=60)), "zip"))
    sampled = made.content["contract"]["rows"]["samples"]["all"]["min"]
    assert 10 < sampled < 60 == made.facts.rows["all"]
    assert "problems" not in made.content["params"]


def test_the_kind_that_is_wished_for_settles_what_texts_are(root, tmp_path):
    contents = {name: content for name, content in captioned(9).items() if name.endswith("png") or name == "000.txt"}
    source = files(tmp_path / "scans", contents)
    with new(root, "a", [str(source)], Format(), Wishes()) as made:
        assert made.content["kind"] == "images"
    with new(root, "a", [str(source)], Format(), Wishes(kind="captions")) as made:
        assert made.content["kind"] == "captions"
        assert made.facts.rows == {"all": 1}
    files(source, captioned(9))
    with new(root, "a", [str(source)], Format(), Wishes(kind="images")) as made:
        assert made.content["kind"] == "images"


def test_a_registry_without_the_prompt_has_no_conversations(root, tmp_path):
    (root / "config" / "prompts" / "caption.yaml").unlink()
    made = added(root, files(tmp_path / "scans", captioned(3)))
    assert [*made.content["contract"]["columns"]] == ["image", "caption"]
    assert made.content["params"] == {}


def table(number: int, form: str, name: str = "file_name", **more) -> bytes | str:
    rows = [
        {name: f"{place:03}.png", "number": place, "said": SAID.format(place), "mood": "ab"[place % 2]}
        | {column: value(place) for column, value in more.items()}
        for place in range(number)
    ]
    if form == "csv":
        return "\n".join([",".join(rows[0]), *(",".join(f'"{value}"' for value in row.values()) for row in rows)])
    if form == "jsonl":
        return "".join(f"{json.dumps(row)}\n" for row in rows)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def photos(number: int, folder: str = "", side: int = 20) -> dict[str, bytes]:
    return {f"{folder}{place:03}.png": photo(place, side) for place in range(number)}


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_table_that_names_pictures_has_their_captions(root, tmp_path, form, inside):
    folder = files(tmp_path / "scans", photos(60, "all/", side=60))
    sources = [folder, files(tmp_path, {f"a.{form}": table(60, form)}) / f"a.{form}"]
    if inside:
        shutil.move(sources.pop(), folder / "all" / f"a.{form}")
    made = added(root, *(packed(source, "zip") if source.is_dir() else source for source in sources))
    assert made.content["kind"] == "captions"
    assert made.content["params"] == PROMPT | {
        "caption": "said",
        "table": f"scans.zip/all/a.{form}" if inside else f"a.{form}",
        "path": "all/{file_name}",
    }
    assert made.content["contract"]["columns"] == CAPTIONED
    assert made.facts.rows == {"all": 60}
    assert not made.facts.left_out
    assert 10 < made.content["contract"]["rows"]["samples"]["all"]["min"] < 60


@pytest.mark.parametrize(
    ("wishes", "kind", "column", "spec"),
    [
        (Wishes(target="mood"), "images", "mood", {"dtype": "string", "values": ["a", "b"]}),
        (Wishes(target="number"), "images", "number", {"dtype": "int64", "min": 0}),
        (Wishes(kind="images"), "images", "mood", {"dtype": "string", "values": ["a", "b"]}),
        (Wishes(kind="captions", target="mood"), "captions", "mood", CAPTION),
        (Wishes(kind="captions", key="number"), "captions", "said", CAPTION),
    ],
)
def test_texts_with_few_values_are_labels_unless_one_says(root, tmp_path, wishes, kind, column, spec):
    folder = files(tmp_path / "scans", photos(40))
    path = files(tmp_path, {"a.csv": table(40, "csv", "id").replace(".png", "")}) / "a.csv"
    made = added(root, path, folder, wishes=wishes)
    params, columns = made.content["params"], made.content["contract"]["columns"]
    assert (made.content["kind"], params["path"]) == (kind, "{id}.png")
    assert (params.get("caption") or params["columns"]["label"]) == column
    assert columns["label" if kind == "images" else "caption"] == spec
    assert ("number" in columns) == (wishes.key == "number")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("annotations.json", json.dumps({"info": {}, "categories": [{"id": 1}]}, indent=1)),
        ("labels.csv", 'a,a\n"1'),
        ("labels.csv", "file,mood\n000.png,a\n001.png,b\n"),
        ("index.parquet", b"none"),
    ],
)
def test_what_else_lies_beside_folders_of_classes_changes_nothing(root, tmp_path, name, content):
    source = files(tmp_path / "scans", photos(2, "cat/") | photos(3, "dog/") | {name: content})
    with new(root, "a", [str(source)], Format(), Wishes()) as made:
        assert made.content["kind"] == "images"
        assert made.content["params"] == {"files": True}
        assert made.content["contract"]["columns"]["label"]["values"] == ["cat", "dog"]


def test_a_table_that_names_no_pictures_is_told(root, tmp_path):
    folder, path = files(tmp_path / "scans", photos(3)), files(tmp_path, {"a.csv": "file,text\nx,y\n"}) / "a.csv"
    message = "no column names the pictures"
    with pytest.raises(RegistryError, match=message), new(root, "a", [str(path), str(folder)], Format(), Wishes()):
        pass


def test_a_row_that_fits_into_no_sample_is_told(root, tmp_path):
    folder = files(tmp_path / "scans", photos(2))
    path = files(tmp_path, {"a.csv": f"file,text\n000.png,{'x ' * 50_000}\n"}) / "a.csv"
    message = "a.csv: not one row fits into 50,000 bytes"
    with pytest.raises(RegistryError, match=message), new(root, "a", [str(path), str(folder)], Format(), Wishes()):
        pass
    with pytest.raises(RegistryError, match="in no column"):
        added(root, files(tmp_path / "more", captioned(3)), wishes=Wishes(target="text"))


def embedded(path: Path, number: int, *, struct: bool, **columns) -> Path:
    pictures = [photo(place) for place in range(number)]
    if struct:
        pictures = [{"bytes": data, "path": None} for data in pictures]
    pq.write_table(pa.table({"photo": pictures} | columns), path)
    return path


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_that_holds_pictures_has_their_captions_or_labels(root, tmp_path, struct):
    texts = [SAID.format(place) for place in range(40)]
    made = added(root, embedded(tmp_path / "a.parquet", 40, struct=struct, text=texts, n=[*range(40)]))
    assert made.content["kind"] == "captions"
    assert made.content["params"] == PROMPT | {"caption": "text", "image": "photo"}
    assert made.content["contract"]["columns"] == CAPTIONED
    with new(root, "b", [str(tmp_path / "a.parquet")], Format(), Wishes(kind="table")) as made:
        assert [*made.content["contract"]["columns"]] == ["photo", "text", "n"]
    path = embedded(tmp_path / "c.parquet", 40, struct=struct, label=[place % 3 for place in range(40)])
    with new(root, "c", [str(path)], Format(), Wishes()) as made:
        assert made.content["kind"] == "images"
        assert made.content["contract"]["columns"]["label"] == {"dtype": "int64", "min": 0, "max": 2}


def test_bytes_that_are_no_pictures_stay_a_table(root, tmp_path):
    pq.write_table(pa.table({"sound": [{"bytes": b"RIFF....WAVE", "path": "a.wav"}] * 3}), tmp_path / "a.parquet")
    with new(root, "a", [str(tmp_path / "a.parquet")], Format(), Wishes()) as made:
        assert made.content["kind"] == "table"


def test_captions_that_are_none_are_told(root, tmp_path):
    source = files(tmp_path / "scans", photos(3))
    message = "no pictures with captions are found"
    with pytest.raises(RegistryError, match=message), new(root, "a", [str(source)], Format(), Wishes(kind="captions")):
        pass


PAGES = {
    "index.html": "<title>Handbook</title><p>How we work",
    "teams/data.md": "# Data\n",
    "teams/logo.png": photo(0),
    "teams/note.txt": "Who keeps it",
    "teams/broken.md": b"caf\xe9",
}


@pytest.mark.parametrize("form", [None, "zip", "bztar"])
def test_documents_are_known_by_their_names(root, tmp_path, form):
    made = added(root, packed(files(tmp_path / "handbook", PAGES), form))
    assert made.content["kind"] == "documents"
    assert made.content["versioning"] == "living"
    assert made.content["params"] == {"problems": {"not_utf8": "drop"}}
    assert made.content["contract"] == {
        "columns": {
            "path": {"dtype": "string", "min_length": 1},
            "format": {"dtype": "string", "values": ["html", "markdown", "text"]},
            "lines": {"dtype": "int64", "min": 1},
            "text": {"dtype": "string", "min_length": 1},
        },
        "rows": {"upstream": {"all": {"min": 3}}, "samples": {"all": {"min": 3}}},
        "unique": True,
    }


def test_documents_may_be_single_files_in_their_encoding(root, tmp_path):
    folder = files(tmp_path / "pages", {"a.md": "Grüße".encode("cp1252"), "b.txt": b"2", "c.HTM": b"<p>3"})
    made = added(root, *sorted(folder.iterdir()), wishes=Wishes(kind="documents"), encoding="cp1252")
    assert made.content["params"] == {"encoding": "cp1252"}
    assert made.content["contract"]["columns"]["source"]["values"] == ["a.md", "b.txt", "c.HTM"]
    with new(root, "b", [str(folder / "a.md")], Format(encoding="cp1252"), Wishes()) as made:
        assert made.content["kind"] == "documents"


def test_a_sample_of_documents_is_small(root, tmp_path):
    pages = {f"{'ab'[place % 2]}/{place}.md": f"{place} " * 5_000 for place in range(30)}
    made = added(root, packed(files(tmp_path / "pages", pages), "zip"))
    assert 4 < made.content["contract"]["rows"]["samples"]["all"]["min"] < 30


@pytest.mark.parametrize(
    ("contents", "wishes", "message"),
    [
        ({"a.md": "x", "b.md": "y" * 300_000}, Wishes(), "b.md: it does not fit into a sample of 200,000 bytes"),
        ({"a.md": "x"}, Wishes(key="id"), "--key: documents have no columns to choose from"),
        ({"a.png": b"x"}, Wishes(kind="documents"), "no document is found in a.png"),
    ],
)
def test_documents_that_cannot_be_are_told(root, tmp_path, contents, wishes, message):
    sources = sorted(map(str, files(tmp_path / "pages", contents).iterdir()))
    with pytest.raises(RegistryError, match=message), new(root, "a", sources, Format(), wishes):
        pass


def test_new_names_the_option_and_takes_it(root, tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('id\tsaid\n1\t"He\n2\tsaid" so\n')
    hint = "if quotes are characters like others: params.format.quoting: none .new: --no-quotes."
    with pytest.raises(RegistryError, match=hint), new(root, "a", [str(path)], Format(), Wishes()):
        pass
    made = added(root, path, quoting="none")
    assert made.content["params"] == {"format": {"quoting": "none"}}
    assert made.facts.rows == {"all": 2}


def test_a_sample_without_quotes_is_read_as_the_file_is(root, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id;said\n" + "".join(f'{number};"no {number}\n' for number in range(20_000)))
    made = added(root, path, quoting="none")
    assert made.content["params"] == {"format": {"quoting": "none", "separator": ";"}}
    sample = root / "data" / "samples" / "things" / "a.csv"
    assert sample.stat().st_size > 100_000
    assert sample.read_text().splitlines()[1].partition(";")[2].startswith('"no ')


def shares(test: float) -> Wishes:
    return Wishes(ratios={"train": 1 - test, "test": test})


@pytest.mark.parametrize("form", [None, "zip"])
def test_a_sample_of_documents_has_some_of_each_split(root, tmp_path, form):
    pages = {f"{place:03}.md": f"{place} " * 2_000 for place in range(150)}
    made = added(root, packed(files(tmp_path / "docs", pages), form), wishes=shares(0.02))
    assert 0 < made.facts.rows["test"] < 10


def test_a_sample_of_captions_has_some_of_each_split(root, tmp_path):
    source = files(tmp_path / "scans", captioned(120, side=45))
    made = added(root, packed(source, "zip"), wishes=shares(0.02))
    assert made.content["kind"] == "captions"
    assert 0 < made.facts.rows["test"] < 10


@pytest.mark.parametrize("inside", [True, False])
def test_a_sample_of_a_table_and_pictures_has_each_split_and_class(root, tmp_path, inside):
    folder = files(tmp_path / "scans", photos(120, side=45))
    rows = "".join(f"{place:03}.png,{'z' if place == 119 else 'ab'[place % 2]}\n" for place in range(120))
    sources = [folder, files(tmp_path, {"labels.csv": f"file,label\n{rows}"}) / "labels.csv"]
    if inside:
        shutil.move(sources.pop(), folder)
    made = added(root, *sources, wishes=Wishes(kind="images", ratios={"train": 0.97, "test": 0.03}))
    assert 0 < made.facts.rows["test"] < 10
    [path] = (root / "data" / "samples" / "things").rglob("labels.csv")
    assert "119.png,z" in path.read_text()


def test_pictures_in_a_sample_have_rows_however_few_of_these_fit(root, tmp_path):
    folder = files(tmp_path / "scans", photos(40))
    rows = "".join(f"{place:03}.png,no {place}{' x' * 2_000}\n" for place in range(40))
    added(root, folder, files(tmp_path, {"a.csv": f"file,text\n{rows}"}) / "a.csv")
    sample = root / "data" / "samples" / "things"
    named = [line.partition(",")[0] for line in (sample / "a.csv").read_text().splitlines()[1:]]
    assert 5 < len(named) < 40
    assert named == sorted(path.name for path in (sample / "scans").iterdir())


def test_a_sample_without_quotes_has_rows_of_all_places_and_each_class(root, tmp_path):
    path = tmp_path / "a.tsv"
    labels = ["last" if number == 19_999 else "ab"[number % 2] for number in range(20_000)]
    rows = "".join(f'{number}\t"no {" x" * (number % 40)}\t{label}\n' for number, label in enumerate(labels))
    path.write_text(f"id\tsaid\tlabel\n{rows}")
    added(root, path, wishes=Wishes(target="label"), quoting="none")
    sample = (root / "data" / "samples" / "things" / "a.tsv").read_text().splitlines()[1:]
    numbers = [int(line.partition("\t")[0]) for line in sample]
    assert sample[-1].endswith("\tlast")
    assert numbers == sorted(numbers)
    quarters = np.bincount(np.array(numbers) // 5_000)
    assert quarters.min() > 0.8 * quarters.max()


def test_a_first_row_without_quotes_that_is_too_large_is_left_out(root, tmp_path):
    path = tmp_path / "a.tsv"
    rows = "".join(f'{number}\t"no {number}\n' for number in range(20_000))
    path.write_text(f"id\tsaid\n-1\t{'x' * MOST_BYTES}\n{rows}")
    added(root, path, quoting="none")
    assert (root / "data" / "samples" / "things" / "a.tsv").read_text().count("\n") > 100
