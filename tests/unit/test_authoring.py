"""`registry new` and `check`: what is guessed of a file, which contract follows, and what that refuses."""

import gzip
import hashlib
import json
import math
import random
import shutil
import tarfile
from pathlib import Path

import polars as pl
import pytest
import yaml
from PIL import Image

from pictures import picture
from registry.authoring import drafts
from registry.authoring.check import check
from registry.authoring.drafts import Wishes
from registry.authoring.infer import READ_AS, infer, rounded
from registry.authoring.layout import guess_format
from registry.authoring.new import new, write
from registry.authoring.sample import cut_pictures, cut_sample
from registry.config.load import load_datasets
from registry.describe.columns import column_type
from registry.errors import RegistryError
from registry.files import sha256_of
from registry.formats.archives import members
from registry.kinds.files import Format
from registry.storage.repository import read_config
from support import ROOT, Server

WISHES = Wishes()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A registry without datasets."""
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_bytes((ROOT / "config" / "config.yaml").read_bytes())
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    return tmp_path


def added(root: Path, server: Server, name: str, content: bytes | str, wishes: Wishes = WISHES, **layout) -> dict:
    """Add the dataset `things` made of one file that a server has, and return the content of its file."""
    server.serve(f"/{name}", content if isinstance(content, bytes) else content.encode())
    with new(root, "things", [f"{server.url}/{name}"], Format(**layout), wishes) as made:
        write(root, made)
    return yaml.safe_load((root / "config" / "datasets" / "things.yaml").read_text(encoding="utf-8"))


def people(number: int = 200, seed: int = 0) -> pl.DataFrame:
    draw = random.Random(seed)
    return pl.DataFrame(
        {
            "id": [f"p{place:04}" for place in range(number)],
            "sex": [draw.choice(["F", "M"]) for _ in range(number)],
            "age": [draw.randint(1, 99) for _ in range(number)],
            "height": [round(draw.uniform(0.5, 2), 3) for _ in range(number)],
            "note": [None if draw.random() < 0.3 else f"note {draw.random()}" for _ in range(number)],
        }
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,2\n", {}),
        ("a;b\n1,5;2\n", {"separator": ";", "decimal": ","}),
        ("a;b\n1.5;2\n", {"separator": ";"}),
        ("a\tb\n1\t2\n", {"separator": "\t"}),
        ("a|b\n1|2\n", {"separator": "|"}),
        ('a,b\n"x, y",2\n', {}),
        ("x,1\ny,2\n", {"header": False, "names": ("column_1", "column_2")}),
        ("a\nx\n", {}),
        ("country,1990,1991\nx,1,2\n", {}),
        ("größe,b\n1,2\n".encode("cp1252"), {"encoding": "cp1252"}),
        ("a,b\n1,2\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("\ufeffa,b\n1,2\n", {}),
    ],
)
def test_the_layout_of_a_csv_file_is_guessed(tmp_path, text, found):
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert guess_format(path, Format()) == Format(**{"type": "csv", "separator": ","} | found)


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        (["29", "1", "4177"], {"dtype": "int64", "min": 1, "max": 4200}),
        (["1", None, "29", "4177"], {"dtype": "int64", "min": 1, "nullable": True}),
        (["1", "29", "29"], {"dtype": "int64", "min": 1, "max": 29}),
        (["7"], {"dtype": "int64", "min": 7, "max": 7}),
        (["-0.123", "1"], {"dtype": "float64", "min": -0.13, "max": 1.0}),
        (["01", "23"], {"dtype": "string", "min_length": 1, "max_length": 2}),
        (["true", None, "false"], {"dtype": "bool", "nullable": True}),
        (["nan", "1"], {"dtype": "string", "min_length": 1, "max_length": 3}),
        (["9" * 30, "1"], {"dtype": "string", "min_length": 1, "max_length": 30}),
        (["+49", "1"], {"dtype": "string", "min_length": 1, "max_length": 3}),
        ([f"{2**63 - 1}", "-5"], {"dtype": "int64", "min": -5, "max": 2**63 - 1}),
        (["a", "b"] * 10, {"dtype": "string", "values": ["a", "b"]}),
        (["a", "<script>"] * 10, {"dtype": "string", "min_length": 1, "max_length": 8}),
        ([f"{place}x" for place in range(100)], {"dtype": "string", "min_length": 1, "max_length": 3}),
        ([None, None], {"dtype": "string", "nullable": True}),
        (["2025-01-31", "2024-02-29"], {"dtype": "date", "min": "2024-02-29"}),
        (["2025-01-31", "2025-02-30"], {"dtype": "string", "min_length": 1, "max_length": 10}),
    ],
)
def test_what_a_contract_says_of_a_column_follows_from_its_values(values, spec):
    assert infer([pl.DataFrame({"a": values}, schema={"a": pl.String})], reads=(*READ_AS,)) == (
        len(values),
        {"a": spec},
    )
    halves = [pl.DataFrame({"a": part}, schema={"a": pl.String}) for part in (values[:1], values[1:])]
    assert infer(halves, reads=(*READ_AS,)) == (len(values), {"a": spec})


@pytest.mark.parametrize(
    "dtype",
    [
        *(pl.Int8, pl.UInt64, pl.Float32, pl.Boolean, pl.Binary, pl.Date, pl.Time, pl.Decimal(10, 2)),
        *(pl.Datetime("us"), pl.Datetime("ms", "Europe/Berlin"), pl.Duration("ns")),
        *(pl.List(pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)})), pl.Struct({"a": pl.Date})),
    ],
)
def test_a_contract_takes_columns_of_every_type(dtype):
    rows = pl.DataFrame({"a": pl.Series([None], dtype=dtype)})
    _, found = infer([rows])
    assert found["a"].pop("nullable")
    assert column_type(found["a"]) == dtype


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        (pl.Series([255, 0], dtype=pl.UInt8), {"dtype": "uint8", "min": 0, "max": 255}),
        (pl.Series([127, -128], dtype=pl.Int8), {"dtype": "int8", "min": -128, "max": 127}),
        (pl.Series([2**64 - 1, 3], dtype=pl.UInt64), {"dtype": "uint64", "min": 3}),
        (pl.Series([None, 1.0]), {"dtype": "float64", "min": 1.0, "max": 1.0, "nullable": True}),
        (pl.Series([1.797e308]), {"dtype": "float64", "min": 1.7e308, "max": 1.797e308}),
    ],
)
def test_bounds_are_such_as_a_column_can_have(values, spec):
    assert infer([values.alias("a").to_frame()])[1] == {"a": spec}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_no_contract_takes_are_told(number):
    with pytest.raises(RegistryError, match="column a holds NaN or infinity"):
        infer([pl.Series("a", [1.0, None, number]).to_frame()])


def test_decimal_commas_are_numbers(root, http_server):
    found = added(root, http_server, "a.csv", "n;m\n1,5;2\n2,5;x\n")
    assert found["contract"]["columns"]["n"] == {"dtype": "float64", "min": 1.5, "max": 2.5}


@pytest.mark.parametrize("number", [0, 1, -1, 29, 4177, -4177, 0.075, 1e300, 5e-324, 123.456, -0.001234])
def test_bounds_are_rounded_outward(number):
    assert rounded(number, "ROUND_FLOOR") <= number <= rounded(number, "ROUND_CEILING")
    assert math.isclose(rounded(number, "ROUND_FLOOR"), number, rel_tol=0.1)


@pytest.mark.parametrize("write_as", ["csv", "ndjson", "parquet"])
def test_what_was_inferred_accepts_its_own_data(root, http_server, tmp_path, write_as):
    getattr(people(), f"write_{write_as}")(tmp_path / "file")
    name = f"people.{write_as}"
    found = added(root, http_server, name, (tmp_path / "file").read_bytes(), Wishes(key="id", target="sex"))
    assert found["contract"]["columns"]["sex"] == {"dtype": "string", "values": ["F", "M"]}
    assert found["contract"]["columns"]["age"]["dtype"] == "int64"
    assert found["contract"]["columns"]["note"]["nullable"]
    assert found["contract"]["rows"]["upstream"] == {"all": {"min": 200}}
    assert found["contract"]["unique"]
    assert check(root, "things", load_datasets(read_config(root), root)).endswith("the contract of their 200 rows")


MUTATIONS = {
    "a column is missing": lambda rows: rows.drop("age"),
    "columns are swapped": lambda rows: rows.rename({"height": "age", "age": "height"}),
    "a column is called otherwise": lambda rows: rows.rename({"age": "years"}),
    "a column is there twice": lambda rows: rows.with_columns(pl.col("age").alias("age2")).rename({"note": "age3"}),
    "the type is changed": lambda rows: rows.with_columns(pl.col("age").cast(pl.String) + " y"),
    "an integer has a fraction": lambda rows: rows.with_columns(pl.col("age") + 0.5),
    "a value is out of the set": lambda rows: rows.with_columns(pl.col("sex").replace("F", "f")),
    "a value is too large": lambda rows: rows.with_columns(pl.col("age") * 2),
    "a value is too small": lambda rows: rows.with_columns(pl.col("age") - 50),
    "a number has another unit": lambda rows: rows.with_columns(pl.col("height") * 100),
    "a number is none": lambda rows: rows.with_columns(pl.lit("nan").alias("height")),
    "values are missing": lambda rows: rows.with_columns(pl.when(pl.col("age") > 50).then("age").alias("age")),
    "a key is missing": lambda rows: rows.with_columns(pl.when(pl.col("age") > 50).then("id").alias("id")),
    "rows are there twice": lambda rows: pl.concat([rows, rows.head(10)]),
    "half of the rows are there": lambda rows: rows.head(100),
    "no rows are there": lambda rows: rows.head(0),
    "a text is too long": lambda rows: rows.with_columns(pl.col("note") + "x" * 99),
    "a text is empty": lambda rows: rows.with_columns(pl.lit("").alias("id")),
    "the header is missing": lambda rows: rows[1:].rename(dict(zip(rows.columns, map(str, rows.row(0)), strict=True))),
    "values are in the next column": lambda rows: rows.rename(
        dict(zip(rows.columns, [*rows.columns[1:], rows.columns[0]], strict=True))
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_was_inferred_refuses_what_has_changed(root, http_server, tmp_path, mutation):
    people().write_csv(tmp_path / "people.csv")
    added(root, http_server, "people.csv", (tmp_path / "people.csv").read_bytes(), Wishes(key="id", target="sex"))
    assert len(MUTATIONS) == 20
    with pytest.raises(RegistryError):
        checked_again(root, MUTATIONS[mutation](people()))


def checked_again(root: Path, rows: pl.DataFrame) -> str:
    """Return what check tells of people when their sample has these rows, as its sums say."""
    sample = root / "data" / "samples" / "things" / "people.csv"
    rows.write_csv(sample)
    (root / "data" / "samples" / "SHA256SUMS").write_text(f"{sha256_of(sample)}  things/people.csv\n")
    return check(root, "things", load_datasets(read_config(root), root))


def test_only_labels_that_are_permuted_are_not_noticed(root, http_server, tmp_path):
    people().write_csv(tmp_path / "people.csv")
    added(root, http_server, "people.csv", (tmp_path / "people.csv").read_bytes(), Wishes(key="id", target="sex"))
    permuted = people().with_columns(pl.col("sex").shuffle(seed=1))
    assert not permuted.equals(people())
    assert checked_again(root, permuted).endswith("the contract of their 200 rows")


def test_a_name_that_is_taken_is_refused_and_nothing_is_fetched(root, http_server):
    added(root, http_server, "a.csv", "a,b\n1,2\n")
    for name, message in (("things", "things is a dataset already"), ("Things", "not a valid dataset name")):
        with pytest.raises(RegistryError, match=message), new(root, name, ["nowhere.csv"], Format(), Wishes()):
            pass


@pytest.mark.parametrize(
    ("content", "wishes", "message"),
    [
        ("price,b\n1,2\n", Wishes(target="prize"), "^--target: there is no column prize.*\n.*perhaps you mean price"),
        ("a,b\n1,2\n", Wishes(key="id"), "^--key: there is no column id\n.*name one of a, b"),
        ("a,b\n1,2\n", Wishes(ratios={"a": 0.5, "b": 0.5}, by=["c"]), "^--by: there is no column c"),
        ("a,a\n1,2\n", Wishes(), "more than one column is called a"),
        ("a,\n1,2\n", Wishes(), "a column has no name"),
        ("", Wishes(), "the file is empty"),
        ("a,b\n", Wishes(), "has a header but no rows"),
        ("<!doctype html><html>", Wishes(), "an HTML page, not the file itself"),
        ("a,b\n1,2\n3\n", Wishes(), "line 3"),
    ],
)
def test_what_is_no_table_is_refused_and_nothing_is_written(root, http_server, content, wishes, message):
    with pytest.raises(RegistryError, match=message):
        added(root, http_server, "a.csv", content, wishes)
    assert [*(root / "config" / "datasets").iterdir()] == []
    assert not (root / "data").exists()


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"kind": "tabel"}, "--kind: there is no kind tabel\n.*perhaps you mean table"),
        ({"ratios": {"train": 0.9, "val": 0.3}}, "--split: the shares 0.9, 0.3 add up to 1.2"),
        ({"ratios": {"train": 1.5, "val": -0.5}}, "--split: .* above 0"),
        ({"ratios": {"Train": 0.5, "val": 0.5}}, "--split: no split may be called Train"),
        ({"by": ["name"]}, "--by: nothing is split"),
    ],
)
def test_wishes_that_no_data_can_make_true_are_refused_by_their_option(wishes, message):
    with pytest.raises(RegistryError, match=f"(?s)^{message}"):
        Wishes(**wishes)


CHATS = "".join(
    f'{{"id": {number}, "messages": [{{"role": "user", "content": "{number}?"}}]}}\n' for number in range(9)
)
PAIRS = "id,instruction,output\nx,a?,b\ny,c?,d\n"
TEXTS = "".join(f"{number},a rather long text {number},{'ab'[number % 2]}\n" for number in range(40))


@pytest.mark.parametrize(
    ("file", "content", "wishes", "columns"),
    [
        ("a.jsonl", CHATS, Wishes(key="id"), ["id", "messages"]),
        ("a.csv", PAIRS, Wishes(key="id"), ["id", "messages"]),
        ("a.csv", f"id,said,label\n{TEXTS}", Wishes(kind="text", key="id"), ["id", "said", "label"]),
    ],
)
def test_the_column_that_names_samples_is_in_the_contract(root, http_server, file, content, wishes, columns):
    made = added(root, http_server, file, content, wishes)
    assert ([*made["contract"]["columns"]], made["params"]["key"]) == (columns, "id")
    assert check(root, "things", load_datasets(read_config(root), root))


@pytest.mark.parametrize(
    ("names", "wishes", "layout", "message"),
    [
        (["cat/1.png"], {"key": "id"}, {}, "--key: pictures in folders have no columns"),
        (["cat/1.png"], {"target": "label"}, {}, "--target: pictures in folders have no columns"),
        (["1.png", "1.txt"], {"key": "id"}, {}, "--key: pictures in folders have no columns"),
        (["cat/1.png"], {}, {"nulls": ("NA",)}, "--null: rows of a table are read by it, and these are pictures"),
        (["1.png", "1.txt"], {}, {"separator": ";", "names": ("a",)}, "--columns, --separator: rows of a table"),
        (["a.md"], {}, {"separator": ";"}, "--separator: rows of a table are read by it, and these are documents"),
        (["a.jsonl"], {"target": "id"}, {}, "--target: conversations have no target"),
        (["a.jsonl"], {"inputs": ["id"]}, {}, "--input: id is no column of conversations\n.*messages"),
    ],
)
def test_options_that_a_kind_has_no_use_for_are_refused_by_name(root, tmp_path, names, wishes, layout, message):
    folder = pictures(tmp_path / "source", *[name for name in names if name.endswith(".png")])
    folder.mkdir(exist_ok=True)
    for name in names:
        if not name.endswith(".png"):
            (folder / name).write_text(CHATS)
    source = folder / "a.jsonl" if names == ["a.jsonl"] else folder
    with (
        pytest.raises(RegistryError, match=f"^{message}"),
        new(root, "things", [str(source)], Format(**layout), Wishes(**wishes)),
    ):
        pass


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "arrow"])
def test_a_sample_is_small_and_made_of_rows_of_the_file(tmp_path, monkeypatch, kind):
    rows, path, target = people(20_000), tmp_path / f"a.{kind}", tmp_path / "sample"
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet, "arrow": pl.read_ipc}[kind]
    getattr(
        rows, {"csv": "write_csv", "jsonl": "write_ndjson", "parquet": "write_parquet", "arrow": "write_ipc"}[kind]
    )(path)
    cut_sample(path, guess_format(path, Format()), target, most_bytes=50_000)
    first = target.read_bytes()
    assert 5_000 < len(first) <= 50_000
    found = read(target)
    assert found.join(rows, on=rows.columns, how="semi", nulls_equal=True).height == found.height
    monkeypatch.setattr("registry.formats.blocks.BLOCK", 10_000)
    cut_sample(path, guess_format(path, Format()), target, most_bytes=50_000)
    assert target.read_bytes() == first


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet", "arrow"])
def test_a_sample_has_every_class_of_every_split_however_rare(root, http_server, tmp_path, kind):
    number = 40_000
    texts = [hashlib.sha256(bytes([place % 256, place // 256])).hexdigest() for place in range(number)]
    rows = pl.DataFrame({"text": texts, "label": ["often"] * number})
    rows[number - 5, "label"] = rows[number - 1, "label"] = "seldom"
    path, plain = tmp_path / f"a.{kind}", kind.removesuffix(".gz")
    getattr(rows, {"jsonl": "write_ndjson", "arrow": "write_ipc"}.get(plain, f"write_{plain}"))(tmp_path / "plain")
    path.write_bytes((tmp_path / "plain").read_bytes())
    if plain != kind:
        path.write_bytes(gzip.compress(path.read_bytes()))
    wishes = Wishes(target="label", ratios={"train": 0.9999, "test": 0.0001})
    found = added(root, http_server, path.name, path.read_bytes(), wishes)
    assert found["contract"]["columns"]["label"]["values"] == ["often", "seldom"]
    assert found["contract"]["rows"]["samples"]["test"]["min"] > 0
    sample = root / "data" / "samples" / "things" / path.name
    assert 10_000 < sample.stat().st_size <= 200_000
    text = gzip.decompress(sample.read_bytes()) if plain != kind else sample.read_bytes()
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet, "arrow": pl.read_ipc}[plain]
    labels = read(text)["label"].value_counts().rows()
    assert dict(labels)["seldom"] >= 1


def test_the_values_of_a_number_that_is_to_be_learned_are_no_classes(root, http_server, tmp_path):
    rows = pl.DataFrame({"n": range(50_000), "price": [number / 7 for number in range(50_000)]})
    rows.write_csv(tmp_path / "a.csv")
    added(root, http_server, "a.csv", (tmp_path / "a.csv").read_bytes(), Wishes(target="price"))
    sample = pl.read_csv(root / "data" / "samples" / "things" / "a.csv")
    assert sample["n"].head(300).max() > 1_000
    assert sample["n"][0] == 0


def test_a_sample_of_large_pictures_has_one_of_every_split(root, tmp_path):
    source = pictures(tmp_path / "pictures", *(f"cat/{number:02}.png" for number in range(40)))
    for path in (source / "cat").iterdir():
        path.write_bytes(path.read_bytes() + bytes(50_000))
    wishes = Wishes(ratios={"test": 0.05, "train": 0.95})
    with new(root, "things", [str(source)], Format(), wishes) as made:
        rows = made.content["contract"]["rows"]["samples"]
    assert sum(one["min"] for one in rows.values()) == 3
    assert rows.keys() == {"train", "test"}
    assert rows["test"]["min"] >= 1


def pictures(folder: Path, *names: str) -> Path:
    """Make pictures of these names, each another, in a folder."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (number, 7 * number % 256, 0)).save(folder / name)
    return folder


@pytest.mark.parametrize("archive", [None, "zip", "gztar"])
@pytest.mark.parametrize(
    ("names", "params", "classes"),
    [
        (["cat/1.png", "dog ü/1.png", "dog ü/2.png"], {}, ["cat", "dog ü"]),
        (
            ["all/train/cat/1.png", "all/Valid/cat/2.png", "all/train/dog/3.png"],
            {"root": "all", "split": {"folders": {"train": ["train"], "val": ["Valid"]}}},
            ["cat", "dog"],
        ),
        (["1.png", "2.png"], {}, None),
    ],
)
def test_pictures_tell_their_classes_and_splits_by_their_folders(root, tmp_path, archive, names, params, classes):
    source = pictures(tmp_path / "pictures", *names)
    if archive:
        source = Path(shutil.make_archive(str(tmp_path / "packed"), archive, source))
    with new(root, "things", [str(source)], Format(), Wishes()) as made:
        write(root, made)
    assert (made.content["kind"], made.content["versioning"]) == ("images", "folder")
    assert made.content["params"] == params | {"files": True}
    assert made.content["contract"]["columns"].get("label", {}).get("values") == classes
    assert sum(made.facts.rows.values()) == len(names)
    told = check(root, "things", load_datasets(read_config(root), root))
    assert told.endswith(f"the contract of their {len(names)} rows")


@pytest.mark.parametrize(
    ("folder", "most", "packed", "files"),
    [
        ("cat", 2, False, True),
        ("cat", 1, False, False),
        ("cat", 2, True, False),
        ("what?", 2, False, False),
    ],
)
def test_pictures_stay_files_if_they_are_few_unless_somebody_says_otherwise(
    root, tmp_path, monkeypatch, folder, most, packed, files
):
    monkeypatch.setattr(drafts, "MOST_FILES", most)
    source = pictures(tmp_path / "pictures", f"{folder}/1.png", f"{folder}/2.png")
    with new(root, "things", [str(source)], Format(), Wishes(packed=packed)) as made:
        assert made.content["params"].get("files", False) is files


@pytest.mark.parametrize("archive", [False, True])
def test_files_that_are_left_out_are_counted(root, tmp_path, archive):
    source = pictures(tmp_path / "pictures", "cat/1.png", "cat/2.png", "cat/.trash/3.png", "cat/.trash/4.png")
    for name in (".DS_Store", "Thumbs.db", "README.md"):
        (source / name).write_bytes(b"x")
    if archive:
        source = Path(shutil.make_archive(str(tmp_path / "packed"), "gztar", source))
    with new(root, "things", [str(source)], Format(), Wishes()) as made:
        assert made.facts.rows == {"all": 2}
        assert made.facts.left_out == {"hidden_files": 2, "system_files": 1, "other_files": 1}


def test_rows_are_not_packed(root, http_server):
    with pytest.raises(RegistryError, match="only pictures are packed"):
        added(root, http_server, "a.csv", "a\n1\n", Wishes(packed=True))


def test_pictures_that_cannot_be_used_are_dropped_and_counted(root, tmp_path):
    source = pictures(tmp_path / "pictures", "cat/1.png", "dog/1.png", "dog/2.png")
    (source / "dog" / "2.png").write_bytes(b"no picture")
    with new(root, "things", [str(source)], Format(), Wishes()) as made:
        assert made.facts.unusable == {"corrupt": 1}
        assert made.content["params"]["problems"] == {"corrupt": "drop"}
        assert made.content["contract"]["rows"]["upstream"] == {"all": {"min": 2}}


def test_texts_are_told_from_their_labels(root, http_server):
    rows = "".join(
        f"{number},a text that is number {number},{'good' if number % 3 else 'bad'}\n" for number in range(60)
    )
    found = added(root, http_server, "a.csv", f"id,said,mood\n{rows}", Wishes(kind="text"))
    assert found["params"] == {"text": "said", "label": "mood"}
    assert [*found["contract"]["columns"]] == ["said", "mood"]


def test_a_column_of_lists_is_no_text(root, http_server):
    rows = "".join(f'{{"tags": ["{number}"], "said": "a text that is number {number}"}}\n' for number in range(60))
    found = added(root, http_server, "a.jsonl", rows, Wishes(kind="text"))
    assert found["params"] == {"text": "said"}


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(kind="text"), "no column is of texts"),
        (Wishes(kind="text", inputs=["a"]), "params.text: the column a is not of texts"),
        (Wishes(kind="text", inputs=["c"]), "there is no column c\n  what to do: name one of a, b"),
        (Wishes(kind="text", inputs=["a"], target="d"), "there is no column d"),
        (Wishes(kind="conversations"), "no column is of conversations"),
    ],
)
def test_a_kind_that_the_columns_are_not_of_is_refused(root, http_server, wishes, message):
    with pytest.raises(RegistryError, match=message):
        added(root, http_server, "a.csv", "a,b\n1,2\n2,3\n", wishes)


def test_wildcards_name_several_files_of_the_same_columns(root, tmp_path):
    for number in range(3):
        (tmp_path / f"part-{number}.csv").write_text(f"a,b\n{number},x\n")
    with new(root, "things", [f"{tmp_path}/part-*.csv"], Format(), Wishes()) as made:
        assert [source["file"] for source in made.content["sources"]["files"]] == [f"part-{n}.csv" for n in range(3)]
        assert made.facts.rows == {"all": 3}
    with pytest.raises(RegistryError, match="no file matches"), new(root, "b", [f"{tmp_path}/*.x"], Format(), Wishes()):
        pass


def test_a_dataset_that_is_begun_again_has_its_sums_once(root, http_server):
    added(root, http_server, "a.csv", "a\n1\n")
    sums = root / "data" / "samples" / "SHA256SUMS"
    sums.write_text(sums.read_text().rstrip())
    (root / "config" / "datasets" / "things.yaml").unlink()
    with pytest.raises(RegistryError, match="there are samples of this name already"):
        added(root, http_server, "a.csv", "a\n2\n")
    shutil.rmtree(root / "data" / "samples" / "things")
    (root / "data" / "samples" / "things").touch()
    with pytest.raises(RegistryError, match="there are samples of this name already"):
        added(root, http_server, "a.csv", "a\n2\n")
    (root / "data" / "samples" / "things").unlink()
    added(root, http_server, "a.csv", "a\n2\n")
    assert [line[66:] for line in sums.read_text().splitlines()] == ["things/a.csv"]


@pytest.mark.parametrize("query", ["X-Amz-Signature=1", "token=1", "a=b&api_key=1"])
def test_an_address_with_a_secret_is_refused_before_it_is_asked(root, query):
    sources, message = [f"http://127.0.0.1:9/a.csv?{query}"], "its address holds a secret"
    with pytest.raises(RegistryError, match=message) as raised, new(root, "a", sources, Format(), Wishes()):
        pass
    assert query not in str(raised.value)


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "x" * 2000])
def test_a_name_that_no_file_of_a_dataset_can_hold_is_refused(root, tmp_path, name):
    pl.DataFrame({name: [1]}).write_parquet(tmp_path / "a.parquet")
    try:
        with new(root, "things", [str(tmp_path / "a.parquet")], Format(), Wishes()) as made:
            write(root, made)
    except RegistryError as error:
        assert "a name of its columns" in str(error)
    else:
        assert [*load_datasets(read_config(root), root)["things"]["contract"]["columns"]] == [name]


def test_files_with_other_columns_are_refused(root, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,y,z\n1,2,3\n")
    sources = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    message = "has other columns than a.csv: z"
    with pytest.raises(RegistryError, match=message), new(root, "a", sources, Format(), Wishes()):
        pass


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["a", "a"], "rows with the value of an earlier one: 1"),
        (["a", None], "rows without a value: 1"),
        ([None, None], "rows without a value: 2"),
    ],
)
def test_a_key_that_names_no_samples_is_refused(root, tmp_path, values, problem):
    pl.DataFrame({"id": values, "n": [1, 2]}, schema_overrides={"id": pl.String}).write_parquet(tmp_path / "a.parquet")
    sources, wishes = [str(tmp_path / "a.parquet")], Wishes(key="id")
    message = f"the column id does not tell samples apart; {problem}\n"
    with pytest.raises(RegistryError, match=message), new(root, "a", sources, Format(), wishes):
        pass


def test_a_split_that_stays_empty_is_refused(root, http_server):
    with pytest.raises(RegistryError, match="nothing is left for val"):
        added(root, http_server, "a.csv", "a\n1\n2\n", Wishes(ratios={"train": 0.999, "val": 0.001}))


def test_sources_may_be_called_as_what_new_writes_beside_them(root, tmp_path):
    pictures(tmp_path / "sample", "cat/1.png", "dog/2.png")
    with new(root, "a", [str(tmp_path / "sample")], Format(), Wishes()) as made:
        assert made.facts.rows == {"all": 2}


def test_dates_in_json_lines_are_dates_or_texts(root, http_server):
    lines = '{"d": "2020-01-01", "t": "2020-01-01T00:00:00Z"}\n{"d": "2021-01-01", "t": "2021-01-01T00:00:00Z"}\n'
    columns = added(root, http_server, "a.jsonl", lines)["contract"]["columns"]
    assert columns["d"] == {"dtype": "date", "min": "2020-01-01"}
    assert columns["t"]["dtype"] == "string"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps([{"n": number} for number in range(50_000)], indent=1).encode()),
        ("a.csv", ("n\n" + "\n".join(map(str, range(60_000)))).encode("utf-16")),
    ],
)
def test_a_sample_of_what_is_laid_out_otherwise_can_be_read(root, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with new(root, "things", [str(tmp_path / name)], Format(), Wishes()) as made:
        write(root, made)
    assert "the contract of their" in check(root, "things", load_datasets(read_config(root), root))


@pytest.mark.parametrize("suffix", ["tar.gz", "tbz2", "txz", "tar"])
def test_samples_of_archives_are_archives_and_always_the_same(root, tmp_path, suffix):
    source = pictures(tmp_path / "pictures", *(f"cat/{number}.png" for number in range(5)))
    with tarfile.open(
        tmp_path / f"a.{suffix}", {"tar.gz": "w:gz", "tbz2": "w:bz2", "txz": "w:xz"}.get(suffix, "w")
    ) as tar:
        tar.add(source, "all")
    found = []
    for target in (tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"):
        cut_pictures(tmp_path / f"a.{suffix}", target, most_bytes=2_000)
        found.append(target.read_bytes())
    assert found[0] == found[1]
    assert 0 < len([*members(tmp_path / f"1.{suffix}")]) < 5


def checked(root: Path, text: str, samples: dict[str, bytes]) -> str:
    """Return what check tells of the dataset `things` with this configuration and these samples."""
    folder = root / "data" / "samples" / "things"
    folder.mkdir(parents=True)
    for name, content in samples.items():
        (folder / name).write_bytes(content)
    sums = "".join(f"{sha256_of(folder / name)}  things/{name}\n" for name in samples)
    (root / "data" / "samples" / "SHA256SUMS").write_text(sums)
    listed = [
        {"file": name, "urls": [f"https://example.org/{name}"], "accept": [], "max_bytes": 1_000_000}
        for name in samples
    ]
    about = {"title": "Things", "description": "What there is.", "license": "CC0 1.0"}
    content = {"about": about, "sources": {"files": listed}, **yaml.safe_load(text)}
    (root / "config" / "datasets" / "things.yaml").write_text(yaml.safe_dump(content))
    return check(root, "things", load_datasets(read_config(root), root))


KEYED = """
    kind: table
    params: {key: id, problems: {duplicates: drop}}
    contract:
      columns: {id: {dtype: int64}, n: {dtype: int64}}
      rows: {samples: {all: {min: 1}}}
      unique: true
"""


def test_samples_are_checked_for_keys_that_are_there_twice(root):
    assert checked(root, KEYED, {"a.csv": b"id,n\n1,1\n1,1\n2,2\n"}).endswith("the contract of their 2 rows")
    shutil.rmtree(root / "data")
    with pytest.raises(RegistryError, match="two rows have the key '1': a.csv:0 and b.csv:1"):
        checked(root, KEYED, {"a.csv": b"id,n\n1,1\n", "b.csv": b"id,n\n2,2\n1,3\n"})


def test_documents_are_told_apart_by_their_texts(root):
    text = """
        kind: documents
        contract:
          columns: {path: {dtype: string}, text: {dtype: string}}
          rows: {samples: {all: {min: 1}}}
          unique: true
    """
    with pytest.raises(RegistryError, match="none twice in a split: found 'a.md = b.md'"):
        checked(root, text, {"a.md": b"same", "b.md": b"same"})


@pytest.mark.parametrize("registry", ["file", "mlflow"])
def test_captions_are_checked_with_their_prompt(root, registry):
    text = """
        kind: captions
        params: {table: t.csv, path: "{file}", prompt: {name: NAME, version: 1, registry: REGISTRY}}
        contract:
          columns: {image: {dtype: binary}, prompt: {dtype: string}, caption: {dtype: string}}
          rows: {samples: {all: {min: 1}}}
    """
    name = "radiology-caption" if registry == "file" else "in-mlflow-alone"
    (root / "config" / "prompts").symlink_to(ROOT / "config" / "prompts")
    samples = {"t.csv": b"file,caption\n1.jpg,a lung\n", "1.jpg": picture(0)}
    text = text.replace("NAME", name).replace("REGISTRY", registry)
    assert checked(root, text, samples).endswith("the contract of their 1 rows")


def test_pictures_whose_folders_are_splits_are_not_split_again(root, tmp_path):
    sources = [str(pictures(tmp_path / "pictures", "train/cat/1.png", "val/cat/2.png"))]
    wishes = Wishes(ratios={"a": 0.5, "b": 0.5})
    message = "its folders are splits already: train, val"
    with pytest.raises(RegistryError, match=message), new(root, "a", sources, Format(), wishes):
        pass
