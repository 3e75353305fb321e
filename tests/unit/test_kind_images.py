"""Pictures by configuration alone: what folders, archives and tables give, and what is found wrong."""

import io
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pictures import picture, spoiled, tarred, zipped
from registry.config.kinds import check_kind
from registry.config.schema import breaches
from registry.describe.pictures import Pictures, pairs_alike
from registry.errors import RegistryError
from registry.formats.images import near_pairs
from registry.kinds import tables
from registry.kinds.columns import arrow_schema
from registry.kinds.images import POLICIES, read
from registry.kinds.rows import Cleaning
from registry.kinds.stored import stored, stored_schema, with_files
from registry.kinds.tables import row_groups, write_dataset
from registry.sources.subsample import Subsample
from support import ROOT

CONTRACT = {"image": {"dtype": "binary"}, "label": {"dtype": "string"}}
PATHS = {**CONTRACT, "path": {"dtype": "string"}}
SCHEMA = ROOT / "scripts" / "registry" / "kinds" / "images.schema.yaml"
BY_FOLDER = {"folders": {"train": ["train"], "test": ["test"]}}
BLUE, RED, GREEN = (picture(seed) for seed in range(3))


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def in_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def cleaned(files: dict[str, Path], contract=CONTRACT, policies=None, **params):
    """Return the rows that are left of all, with their splits, and what was found."""
    assert not breaches(params, SCHEMA)
    found = Cleaning(POLICIES | params.get("problems", {}) | (policies or {}))
    rows = [
        its.samples.with_columns(its.splits.alias("split"), its.keys.alias("key"))
        for its in found.clean(read(files, contract, params))
    ]
    found.check("shapes")
    return pl.concat(rows, how="vertical_relaxed"), found.report()


def of(tmp_path, files: dict[str, bytes], contract=CONTRACT, **params):
    return cleaned({"shapes.zip": written(tmp_path / "shapes.zip", zipped(files))}, contract, **params)


SHAPES = {"circle/a.jpg": BLUE, "circle/b.jpg": RED, "square/a.jpg": GREEN}


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("s.zip", lambda path: written(path, zipped(SHAPES))),
        ("s.tar.gz", lambda path: written(path, tarred(SHAPES))),
        ("s", lambda path: in_folder(path, SHAPES)),
    ],
)
def test_folders_of_classes_are_the_same_in_all_that_holds_them(tmp_path, name, packed):
    rows, report = cleaned({name: packed(tmp_path / name)}, PATHS)
    assert rows["label"].to_list() == ["circle", "circle", "square"]
    assert rows["image"].to_list() == [BLUE, RED, GREEN]
    assert rows["path"].to_list() == [*SHAPES]
    assert rows["key"].to_list() == [f"{name}:{path}" for path in SHAPES]
    assert set(rows["split"]) == {"all"}
    assert report["counts"]["rows"] == 3


def test_source_files_may_be_pictures_themselves(tmp_path):
    in_folder(tmp_path, SHAPES)
    rows, _ = cleaned({name: tmp_path / name for name in SHAPES})
    assert rows["label"].to_list() == ["circle", "circle", "square"]
    assert rows["key"].to_list() == [*SHAPES]


def test_width_height_and_numbers_of_classes_come_if_the_contract_asks(tmp_path):
    contract = {
        "label": {"dtype": "int64"},
        "width": {"dtype": "int64"},
        "height": {"dtype": "int64"},
        "image": {"dtype": "binary"},
    }
    rows, _ = of(tmp_path, SHAPES, contract, classes=["square", "circle"])
    assert rows.columns[:4] == [*contract]
    assert rows["label"].to_list() == [1, 1, 0]
    assert rows.select("width", "height").unique().rows() == [(60, 40)]


def test_pictures_need_no_classes(tmp_path):
    rows, _ = of(tmp_path, {"a.jpg": BLUE, "x/b.jpg": RED}, {"image": {"dtype": "binary"}})
    assert rows["image"].to_list() == [BLUE, RED]


def test_folders_make_splits_and_what_is_in_none_is_told(tmp_path):
    files = {"data/train/cat/1.jpg": BLUE, "data/test/cat/deep/2.jpg": RED, "data/test/3.jpg": GREEN}
    params = {"root": "data", "split": BY_FOLDER}
    with pytest.raises(RegistryError, match="unknown_classes: 1, e.g. shapes.zip:data/test/3.jpg"):
        of(tmp_path, files, **params)
    rows, _ = of(tmp_path, files, **params, problems={"unknown_classes": "drop"})
    assert rows.select("label", "split").rows() == [("cat", "test"), ("cat", "train")]

    extra = {"data/extra/cat/4.jpg": picture(4), **files}
    with pytest.raises(RegistryError, match="outside_splits: 1, e.g. shapes.zip:data/extra/cat/4.jpg"):
        of(tmp_path, extra, **params, problems={"unknown_classes": "drop"})
    rows, report = of(
        tmp_path,
        {**extra, "notes/5.jpg": BLUE},
        **params,
        problems=dict.fromkeys(("unknown_classes", "outside_splits"), "drop"),
    )
    assert rows.height == 2
    assert report["counts"]["other_files"] == 1, "what is not below root is not looked at"


def test_a_folder_in_a_folder_of_another_split_is_its_own(tmp_path):
    split = {"folders": {"train": ["train"], "val": ["train/val", "dev"]}}
    files = {"dev/cat/3.jpg": GREEN, "train/cat/1.jpg": BLUE, "train/val/cat/2.jpg": RED}
    assert of(tmp_path, files, split=split)[0]["split"].to_list() == ["val", "train", "val"]


def test_ratios_go_by_the_bytes_of_the_source_so_that_copies_stay_together(tmp_path):
    files = {f"a/{seed}.png": picture(seed, "PNG") for seed in range(60)}
    copies = {f"b/{name[2:]}": data for name, data in files.items()}
    ratios = {"ratios": {"train": 0.5, "test": 0.5}}
    rows, report = of(tmp_path, files | copies, split=ratios)
    splits = rows["split"].to_list()
    assert splits[:60] == splits[60:]
    assert 15 < splits[:60].count("test") < 45
    assert report["counts"]["found"]["other_labels"] == 60
    grown, _ = of(tmp_path, {**files, **copies, "c/new.jpg": picture(99)}, split=ratios)
    assert grown["split"].to_list()[:120] == splits
    assert report["counts"]["converted_pictures"] == 120


def test_a_picture_in_two_splits_is_a_problem_of_the_lower_one(tmp_path):
    files = {"test/a/1.jpg": BLUE, "train/a/1.jpg": BLUE, "train/a/2.jpg": RED}
    with pytest.raises(RegistryError, match="in_two_splits: 1, e.g. shapes.zip:train/a/1.jpg"):
        of(tmp_path, files, split=BY_FOLDER)
    rows, _ = of(tmp_path, files, split=BY_FOLDER, problems={"in_two_splits": "drop"})
    assert rows.select("split", "image").rows() == [("test", BLUE), ("train", RED)]


@pytest.mark.parametrize(("train", "test"), [("1", "2"), ("2", "1")])
def test_of_copies_one_stays_whichever_problem_takes_the_others(tmp_path, train, test):
    names = {f"{train}/a/1.jpg": BLUE, f"{train}/b/2.jpg": RED, f"{test}/a/1.jpg": BLUE, f"{test}/b/2.jpg": BLUE}
    dropping = dict.fromkeys(("in_two_splits", "duplicates", "other_labels"), "drop")
    rows, _ = of(tmp_path, names, split={"folders": {"train": [train], "test": [test]}}, problems=dropping)
    assert sorted(rows.select("split", "image").rows()) == [("test", BLUE), ("train", RED)]


def test_umlauts_are_one_letter_however_a_system_writes_them(tmp_path):
    composed, apart = "Äpfel groß", unicodedata.normalize("NFD", "Äpfel groß")
    assert composed != apart
    rows, _ = of(tmp_path, {f"{composed}/ö 1.jpg": BLUE, f"{apart}/ö 2.jpg": RED}, PATHS)
    assert rows["label"].to_list() == [composed, composed]
    assert sorted(rows["path"]) == [f"{composed}/ö 1.jpg", f"{composed}/ö 2.jpg"]
    assert of(tmp_path, {f"{apart}/1.jpg": BLUE}, classes=[composed])[0]["label"].to_list() == [composed]
    assert of(tmp_path, {f"{composed}/1.jpg": BLUE}, classes=[apart])[0].height == 1


def test_a_zip_of_macos_has_its_names_back(tmp_path):
    content = zipped({"Cafexx/1.jpg": BLUE}).replace(b"Cafexx/", unicodedata.normalize("NFD", "Café/").encode())
    assert cleaned({"mac.zip": written(tmp_path / "mac.zip", content)})[0]["label"].to_list() == ["Café"]


def test_folders_that_differ_in_case_alone_must_be_told_apart(tmp_path):
    files = {"Cat/1.jpg": BLUE, "cat/2.jpg": RED}
    with pytest.raises(RegistryError, match="the folders Cat and cat differ in case alone") as error:
        of(tmp_path, files)
    assert "{Cat: Cat, cat: Cat}" in error.value.hint
    assert of(tmp_path, files, classes={"Cat": "cat", "cat": "cat"})[0]["label"].to_list() == ["cat", "cat"]
    assert of(tmp_path, files, classes=["Cat", "cat"])[0]["label"].to_list() == ["Cat", "cat"]


def test_what_systems_leave_behind_is_counted_and_nothing_else(tmp_path):
    litter = ["cat/Thumbs.db", "__MACOSX/cat/1.jpg", "cat/desktop.ini"]
    hidden = [".DS_Store", "cat/.hidden.jpg", ".git/x.jpg"]
    files = {"cat/1.jpg": BLUE, **dict.fromkeys([*litter, *hidden], b"x"), "README.md": b"hello", "cat/1.xml": b"<a/>"}
    rows, report = of(tmp_path, files)
    assert rows.height == 1
    assert report["counts"]["system_files"] == len(litter)
    assert report["counts"]["other_files"] == 2
    assert report["counts"]["hidden_files"] == len(hidden)


def test_no_picture_at_all_is_told(tmp_path):
    with pytest.raises(RegistryError, match="no picture is found, but 1 other files") as error:
        of(tmp_path, {"README.md": b"hello"})
    assert ".jpeg" in error.value.hint


def heic() -> bytes:
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


BAD = {
    "empty_files": (b"", "no bytes"),
    "corrupt": (BLUE[: len(BLUE) // 2], "OSError"),
    "unsupported": (heic(), "HEIC is not read here: make JPEG or PNG of it"),
    "oversized": (picture(1, size=(300, 300)), r"300x300, longer than max_side \(200\)"),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_pictures_fail_or_are_dropped_and_are_named(tmp_path, problem):
    data, words = BAD[problem]
    files = {"cat/good.jpg": RED, "cat/bad.jpg": data}
    limits = {"limits": {"max_side": 200}}
    with pytest.raises(RegistryError, match=rf"{problem}: 1, e.g. shapes.zip:cat/bad.jpg \(.*{words}"):
        of(tmp_path, files, **limits)
    rows, report = of(tmp_path, files, **limits, problems={problem: "drop"})
    assert rows["image"].to_list() == [RED]
    assert report["counts"]["found"][problem] == report["counts"]["dropped"] == 1


def test_a_file_of_more_than_max_bytes_is_not_read_to_its_end(tmp_path):
    bomb = {"cat/good.jpg": RED, "cat/bomb.png": bytes(5_000_000)}
    with pytest.raises(RegistryError, match="oversized: 1.*bomb.png"):
        of(tmp_path, bomb, limits={"max_bytes": 100_000})


def odd_pictures() -> dict[str, bytes]:
    def encoded(kind: str, mode: str, **options) -> bytes:
        buffer = io.BytesIO()
        Image.open(io.BytesIO(BLUE)).convert(mode).save(buffer, format=kind, **options)
        return buffer.getvalue()

    return {
        "cmyk.jpg": encoded("JPEG", "CMYK"),
        "cmyk.tif": encoded("TIFF", "CMYK"),
        "grey.png": encoded("PNG", "L"),
        "alpha.png": encoded("PNG", "RGBA"),
        "a.gif": encoded("GIF", "P"),
        "a.webp": encoded("WEBP", "RGB"),
        "a.bmp": encoded("BMP", "RGB"),
        "lies.jpg": encoded("PNG", "RGB"),
    }


def test_pictures_of_all_sorts_become_rgb_jpegs(tmp_path):
    odd = odd_pictures()
    rows, report = of(tmp_path, {f"a/{name}": data for name, data in odd.items()})
    for data in rows["image"]:
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (60, 40))
    assert report["counts"]["converted_pictures"] == len(odd)


@pytest.mark.parametrize("name", ["a.heic", "a.AVIF", "a.dcm", "a.svg"])
def test_what_is_called_a_picture_and_is_not_read_is_missed(tmp_path, name):
    with pytest.raises(RegistryError, match=f"1, e.g. shapes.zip:cat/{name}"):
        of(tmp_path, {"cat/good.jpg": RED, f"cat/{name}": b"whatever it is"})


def test_narrow_grey_is_put_on_the_scale_that_is_asked_for(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)).save(buffer, format="PNG")
    files = {"a/scan.png": buffer.getvalue()}

    def brightest(**params) -> int:
        rows, report = of(tmp_path, files, **params)
        assert report["counts"]["found"]["narrow"] == 1
        with Image.open(io.BytesIO(rows["image"][0])) as image:
            return image.convert("L").getextrema()[1]

    assert brightest() < 20
    assert brightest(problems={"narrow": "observed"}) > 250
    with pytest.raises(RegistryError, match="narrow: 1"):
        of(tmp_path, files, problems={"narrow": "fail"})


def test_duplicates_are_the_same_picture_of_the_same_class(tmp_path):
    files = {"a/1.jpg": BLUE, "a/2.jpg": BLUE, "b/3.jpg": BLUE, "b/4.jpg": RED}
    rows, report = of(tmp_path, files)
    assert rows.height == 4
    found = report["counts"]["found"]
    assert (found["duplicates"], found["other_labels"]) == (1, 1)
    rows, _ = of(tmp_path, files, problems={"duplicates": "drop", "other_labels": "drop"})
    assert rows.select("label", "image").rows() == [("a", BLUE), ("b", RED)]
    with pytest.raises(RegistryError, match=r"other_labels: 1, e.g. shapes.zip:b/3.jpg"):
        of(tmp_path, files, problems={"other_labels": "fail"})


def test_classes_choose_and_the_rest_is_told(tmp_path):
    with pytest.raises(RegistryError, match="unknown_classes: 1, e.g. shapes.zip:square/a.jpg"):
        of(tmp_path, SHAPES, classes=["circle"])
    rows, _ = of(tmp_path, SHAPES, classes={"circle": "round"}, problems={"unknown_classes": "drop"})
    assert rows["label"].to_list() == ["round", "round"]


@pytest.mark.parametrize(
    ("contract", "params", "words"),
    [
        ({"label": {"dtype": "string"}}, {}, "there is no column image, of dtype binary"),
        ({"image": {"dtype": "string"}}, {}, "there is no column image, of dtype binary"),
        ({**CONTRACT, "age": {"dtype": "int64"}}, {}, "pictures in folders have no age"),
        ({**CONTRACT, "label": {"dtype": "int64"}}, {}, "numbers need params.classes"),
    ],
)
def test_a_contract_that_pictures_cannot_keep_is_refused(tmp_path, contract, params, words):
    with pytest.raises(RegistryError, match=words):
        of(tmp_path, SHAPES, contract, **params)


TABLE = "id,species,age\na,cat,3\nb,dog,\nc,cat,7\n"
PETS = {"image": {"dtype": "binary"}, "label": {"dtype": "string"}, "age": {"dtype": "int64", "nullable": True}}
FROM_TABLE = {"table": "pets.csv", "path": "pictures/{id}.jpg", "columns": {"label": "species"}}


def with_table(tmp_path, text=TABLE, contract=PETS, files=None, **params):
    (tmp_path / "pets.csv").write_text(text)
    pictures = files or {f"pictures/{name}.jpg": data for name, data in zip("abc", (BLUE, RED, GREEN), strict=True)}
    archive = written(tmp_path / "pets.zip", zipped(pictures))
    return cleaned({"pets.zip": archive, "pets.csv": tmp_path / "pets.csv"}, contract, **FROM_TABLE | params)


def test_a_table_names_pictures_and_gives_columns(tmp_path):
    rows, _ = with_table(tmp_path)
    assert rows.select("image", "label", "age").rows() == [(BLUE, "cat", 3), (RED, "dog", None), (GREEN, "cat", 7)]
    assert rows["key"].to_list() == ["pets.csv:0", "pets.csv:1", "pets.csv:2"]
    keyed, _ = with_table(tmp_path, contract={"id": {"dtype": "string"}, **PETS}, key="id")
    assert keyed["key"].to_list() == ["a", "b", "c"]


def test_a_table_may_be_in_the_archive(tmp_path):
    pictures = {f"all/pictures/{name}.jpg": data for name, data in zip("abc", (BLUE, RED, GREEN), strict=True)}
    archive = written(tmp_path / "pets.zip", zipped({**pictures, "all/pets.csv": TABLE.encode()}))
    params = {**FROM_TABLE, "path": "all/pictures/{id}.jpg"}
    rows, report = cleaned({"pets.zip": archive}, PETS, **params | {"table": "pets.zip/all/pets.csv"})
    assert rows["age"].to_list() == [3, None, 7]
    assert rows["key"].to_list()[0] == "pets.zip/all/pets.csv:0"
    assert "other_files" not in report["counts"]
    with pytest.raises(RegistryError, match="pets.zip/pets.csv: there is no such file among its sources"):
        cleaned({"pets.zip": archive}, PETS, **params | {"table": "pets.zip/pets.csv"})


def test_numbers_in_json_lines_and_texts_in_csv_name_pictures(tmp_path):
    archive = written(tmp_path / "p.zip", zipped({"7.jpg": BLUE, "007.jpg": RED}))
    contract = {"image": {"dtype": "binary"}, "id": {"dtype": "int64"}}
    files = {"p.zip": archive, "t.jsonl": written(tmp_path / "t.jsonl", b'{"id": 7}\n')}
    assert cleaned(files, contract, table="t.jsonl", path="{id}.jpg")[0]["image"].to_list() == [BLUE]
    files = {"p.zip": archive, "t.csv": written(tmp_path / "t.csv", b"name\n007\n")}
    assert cleaned(files, {"image": {"dtype": "binary"}}, table="t.csv", path="{name}.jpg")[0]["image"].to_list() == [
        RED
    ]


def test_rows_without_pictures_and_pictures_without_rows_are_told(tmp_path):
    files = {"pictures/a.jpg": BLUE, "pictures/b.jpg": RED, "pictures/z.jpg": GREEN}
    with pytest.raises(RegistryError, match=r"missing_files: 1, e.g. pets.csv:2 \(pictures/c.jpg\)"):
        with_table(tmp_path, files=files)
    rows, report = with_table(tmp_path, files=files, problems={"missing_files": "drop"})
    assert rows["label"].to_list() == ["cat", "dog"]
    assert report["counts"]["other_files"] == 1


def test_a_row_that_is_null_where_it_should_name_a_picture_has_none(tmp_path):
    files = {"pictures/a.jpg": BLUE, "pictures/None.jpg": RED}
    with pytest.raises(RegistryError, match="missing_files: 1, e.g. pets.csv:1\n"):
        with_table(tmp_path, "id,species,age\na,cat,3\n,dog,1\n", files=files)


def test_a_picture_may_have_several_rows(tmp_path):
    rows, report = with_table(tmp_path, TABLE + "a,dog,1\n")
    assert sorted(rows.select("label", "age").rows(), key=str) == [("cat", 3), ("cat", 7), ("dog", 1), ("dog", None)]
    assert report["counts"]["found"]["other_labels"] == 1


def test_the_patient_keeps_pictures_together_and_need_not_be_published(tmp_path):
    text = "id,species,patient\n" + "".join(f"{number:02},cat,{number // 4}\n" for number in range(80))
    files = {f"pictures/{number:02}.jpg": picture(number) for number in range(80)}
    split = {"ratios": {"train": 0.5, "test": 0.5}, "by": ["patient"]}
    rows, _ = with_table(tmp_path, text, CONTRACT, files, split=split)
    splits = rows["split"].to_list()
    assert {*splits} == {"train", "test"}
    assert all(len({*splits[start : start + 4]}) == 1 for start in range(0, 80, 4))
    assert "patient" not in rows.columns


def test_two_pictures_of_one_name_are_refused(tmp_path):
    for file in ("a.zip", "b.zip"):
        written(tmp_path / file, zipped({"1.jpg": BLUE}))
    written(tmp_path / "t.csv", b"file\n1.jpg\n")
    files = {file: tmp_path / file for file in ("t.csv", "a.zip", "b.zip")}
    with pytest.raises(RegistryError, match=r"t\.csv: two files are 1\.jpg: in a\.zip and in b\.zip"):
        cleaned(files, {"image": {"dtype": "binary"}}, table="t.csv", path="{file}")


def test_a_table_without_rows_is_refused(tmp_path):
    pl.DataFrame({"file": []}, schema={"file": pl.String}).write_parquet(tmp_path / "t.parquet")
    files = {"t.parquet": tmp_path / "t.parquet", "a.zip": written(tmp_path / "a.zip", zipped(SHAPES))}
    with pytest.raises(RegistryError, match=r"t\.parquet: it has no rows"):
        cleaned(files, {"image": {"dtype": "binary"}}, table="t.parquet", path="{file}")


def test_a_number_in_json_lines_may_name_pictures_and_splits(tmp_path):
    written(tmp_path / "t.jsonl", b'{"id": 1, "fold": 1}\n{"id": 2, "fold": 2}\n')
    archive = written(tmp_path / "a.zip", zipped({"1.jpg": BLUE, "2.jpg": RED}))
    split = {"column": "fold", "values": {"train": [1], "test": [2]}}
    files, contract = {"t.jsonl": tmp_path / "t.jsonl", "a.zip": archive}, {"image": {"dtype": "binary"}}
    rows, _ = cleaned(files, contract, table="t.jsonl", path="{id}.jpg", split=split)
    assert rows.select("image", "split").rows() == [(BLUE, "train"), (RED, "test")]


def test_a_column_of_the_table_may_say_the_split(tmp_path):
    split = {"column": "age", "values": {"train": ["3", "7"], "test": ["0"]}}
    rows, _ = with_table(tmp_path, TABLE.replace("dog,", "dog,0"), CONTRACT, split=split)
    assert rows["split"].to_list() == ["train", "test", "train"]


IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_may_hold_the_pictures(tmp_path, struct):
    pictures = [{"bytes": data, "path": f"{n}.jpg"} if struct else data for n, data in enumerate((BLUE, b"", RED))]
    table = pa.table(
        {"picture": pa.array(pictures, IMAGE if struct else pa.binary()), "class": [0, 1, 1], "more": [None, 2.5, 3]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    contract = {**CONTRACT, "more": {"dtype": "float64", "nullable": True}}
    params = {
        "image": "picture",
        "columns": {"label": {"from": "class", "map": {"0": "cat", "1": "dog"}}},
        "problems": {"empty_files": "drop"},
    }
    rows, report = cleaned({"a.parquet": tmp_path / "a.parquet"}, contract, **params)
    assert rows.select("image", "label", "more", "key").rows() == [
        (BLUE, "cat", None, "a.parquet:0"),
        (RED, "dog", 3, "a.parquet:2"),
    ]
    assert report["first"]["empty_files"] == ["a.parquet:1 (no bytes)"]
    with pytest.raises(RegistryError, match="there is no column pixels: it has picture, class, more"):
        cleaned({"a.parquet": tmp_path / "a.parquet"}, contract, **{**params, "image": "pixels"})
    with pytest.raises(RegistryError, match="column class holds no pictures, but int64"):
        cleaned({"a.parquet": tmp_path / "a.parquet"}, {"image": {"dtype": "binary"}}, image="class")


MANY = {f"c/{number:02}.jpg": picture(number) for number in range(40)}


def part_of(origin: str, folder: Path, sample: dict, whole: list[str]) -> tuple[list[str], list[str], dict[str, int]]:
    """Return paths and keys of the part of 40 pictures that is built from, where those not in `whole` are damaged."""
    damaged = [content for name, content in MANY.items() if name not in whole]
    pack, names = spoiled(zipped(MANY | {"readme.md": b""}), damaged), "".join(f"{name}\n" for name in MANY)
    written(folder / "p.zip", pack)
    written(folder / "t.csv", f"name\n{names}".encode())
    images = [content if name in whole else b"no picture" for name, content in MANY.items()]
    pq.write_table(pa.table({"image": images, "label": ["c"] * 40}), folder / "e.parquet")
    files, params = {
        "folders": (["p.zip"], {}),
        "table": (["t.csv", "p.zip"], {"table": "t.csv", "path": "{name}"}),
        "parquet": (["e.parquet"], {"image": "image"}),
    }[origin]
    contract = {"image": {"dtype": "binary"}, "path": {"dtype": "string"}}
    found = Cleaning(POLICIES)
    rows = [*found.clean(read({name: folder / name for name in files}, contract, params | {"sample": sample}))]
    found.check("shapes")
    paths = [path for its in rows for path in its.samples["path"].to_list()]
    return paths, [key for its in rows for key in its.keys.to_list()], found.report()["counts"]


@pytest.mark.parametrize("origin", ["folders", "table", "parquet"])
def test_a_part_of_the_pictures_is_taken_and_no_other_is_read(tmp_path, origin):
    part, larger = (Subsample(fraction=fraction, seed=1) for fraction in (0.2, 0.5))
    numbers = np.flatnonzero(part.takes_rows(0, 40)).tolist()
    drawn = [[*MANY][number] for number in numbers] if origin == "parquet" else [*filter(part.takes, MANY)]
    assert 2 < len(drawn) < 20
    paths, keys, counts = part_of(origin, tmp_path, {"fraction": 0.2, "seed": 1}, drawn)
    if origin == "parquet":
        assert keys == [f"e.parquet:{number}" for number in numbers]
    else:
        assert paths == drawn
        assert {*drawn} < {*filter(larger.takes, MANY)}
        assert counts["other_files"] == 1
    first = [*MANY][:3]
    paths, keys, counts = part_of(origin, tmp_path, {"rows": 3}, first)
    assert keys == [f"e.parquet:{number}" for number in range(3)] if origin == "parquet" else paths == first
    assert counts.get("other_files", 0) == (origin != "parquet")


def test_a_value_in_a_part_of_a_table_is_found_at_its_row(tmp_path):
    rows = {"image": [BLUE] * 9, "label": [*"01234567", "x"]}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    part = Subsample(
        fraction=0.5, seed=next(seed for seed in range(99) if Subsample(fraction=0.5, seed=seed).takes_rows(8, 1))
    )
    contract = {"image": {"dtype": "binary"}, "label": {"dtype": "int64"}}
    params = {"image": "image", "sample": {"fraction": part.fraction, "seed": part.seed}}
    with pytest.raises(RegistryError, match="row 8: label is 'x'"):
        [*read({"a.parquet": tmp_path / "a.parquet"}, contract, params)]


def test_params_of_a_table_without_one_are_refused():
    assert breaches({"path": "{id}.jpg"}, SCHEMA)
    assert breaches({"table": "a.csv"}, SCHEMA)
    assert breaches({"table": "a.csv", "path": "id.jpg"}, SCHEMA)
    assert breaches({"table": "a.csv", "path": "{}/{id}.jpg"}, SCHEMA)
    assert breaches({"root": "../up"}, SCHEMA)
    assert breaches({"problems": {"corrupt": "keep"}}, SCHEMA)
    assert not breaches({"root": "data/train set"}, SCHEMA)


def test_a_table_and_files_that_are_not_there_show_before_anything_runs():
    dataset = {
        "kind": "images",
        "sources": {"files": [{"file": "a.zip"}, {"file": "t.csv"}, {"folder": "b"}]},
        "params": {"table": "t.csv", "path": "{id}.jpg", "split": {"files": {"train": ["a.zip"], "test": ["b"]}}},
        "contract": {"columns": CONTRACT, "rows": {"samples": {"train": 1, "test": 1}}},
    }
    check_kind(dataset, "x")
    check_kind({**dataset, "params": {"table": "b/t.csv"}, "contract": {"columns": CONTRACT, "rows": {}}}, "x")
    dataset["params"]["table"] = "table.csv"
    with pytest.raises(RegistryError, match="params.table: there is no source file table.csv"):
        check_kind(dataset, "x")
    dataset["params"] = {"split": BY_FOLDER}
    dataset["contract"]["rows"] = {"samples": {"val": 1}}
    with pytest.raises(RegistryError, match="there is no split val, there is train, test"):
        check_kind(dataset, "x")


@pytest.mark.parametrize(
    ("name", "words"), [("../x.jpg", "leads out"), ("/etc/x.jpg", "leads out"), ("a\\x.jpg", "cannot be taken")]
)
def test_members_that_lead_out_are_refused(tmp_path, name, words):
    with pytest.raises(RegistryError, match=words):
        of(tmp_path, {name: BLUE})


def dataset_of(tmp_path, pictures, contract=CONTRACT, **params):
    """Write a dataset without splits, and return where its table is."""
    folder = tmp_path / "shapes" / "processed"
    archive = {"s.zip": written(tmp_path / "s.zip", zipped(pictures))}
    write_dataset(
        lambda: read(archive, contract, params),
        folder,
        {"all": folder / "shapes.parquet"},
        tmp_path / "keys.parquet",
        tmp_path / "cleaning.json",
        schema=stored_schema(contract) if params.get("files") else arrow_schema(contract),
        policies=POLICIES | params.get("problems", {}),
        store=stored if params.get("files") else None,
    )
    return folder / "shapes.parquet"


def test_row_groups_have_so_many_bytes_whatever_is_in_memory_at_once(tmp_path, monkeypatch):
    files = {f"a/{seed:02}.jpg": picture(seed, size=(60 + seed, 50)) for seed in range(30)}
    monkeypatch.setattr(tables, "GROUP_BYTES", 10_000)
    table = dataset_of(tmp_path, files)
    before = table.read_bytes()
    groups = [batch.column("image").to_pylist() for batch in row_groups(table)]
    assert len(groups) > 3
    assert all(sum(map(len, group)) <= 10_000 for group in groups)
    assert [data for group in groups for data in group] == [*files.values()]
    monkeypatch.setattr("registry.kinds.pictures.AT_ONCE", 7)
    assert dataset_of(tmp_path, files).read_bytes() == before


def test_files_stay_beside_their_table_and_are_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr("registry.kinds.stored.AT_ONCE", 1)
    table = dataset_of(tmp_path, SHAPES, files=True)
    rows = pl.read_parquet(table)
    assert rows.columns == ["file_name", "label"]
    names = rows["file_name"].to_list()
    assert [name.split("/")[0] for name in names] == ["circle", "circle", "square"]
    assert sorted(path.relative_to(table.parent).as_posix() for path in table.parent.rglob("*.jpg")) == sorted(names)
    batches = [*with_files(table, CONTRACT)]
    assert [row for batch in batches for row in batch["image"].to_pylist()] == [BLUE, RED, GREEN]
    assert [row for batch in batches for row in batch["label"].to_pylist()] == rows["label"].to_list()


def test_a_bad_picture_among_those_that_stay_files_is_named(tmp_path):
    with pytest.raises(RegistryError, match="corrupt: 1, e.g. .*square/b.jpg"):
        dataset_of(tmp_path, {**SHAPES, "square/b.jpg": b"no picture"}, files=True)


def test_the_column_of_files_is_no_other_column(tmp_path):
    contract = {"columns": {**CONTRACT, "file_name": {"dtype": "string"}}, "rows": {}}
    dataset = {"kind": "images", "sources": {"files": [{"file": "a.zip"}]}, "contract": contract}
    with pytest.raises(RegistryError, match=r"contract\.columns\.file_name: params\.files makes a column of this name"):
        check_kind({**dataset, "params": {"files": True}}, "shapes.yaml")
    check_kind({**dataset, "params": {}}, "shapes.yaml")


@pytest.mark.parametrize("label", ["..", "a/b", ".hidden", "a:b", "x\ny", "a" * 300, "end. "])
def test_a_label_that_is_no_folder_is_refused(tmp_path, label):
    samples = pl.DataFrame({"image": [BLUE], "label": [label]})
    with pytest.raises(RegistryError, match="no name for a folder"):
        stored(tmp_path, samples)
    assert [*tmp_path.rglob("*")] == []


def test_pictures_are_measured_shown_and_held_against_each_other(tmp_path):
    small = io.BytesIO()
    Image.open(io.BytesIO(BLUE)).resize((50, 34)).save(small, format="JPEG")
    about = Pictures(["square"])
    about.add("train", ["1", "2"], [BLUE, RED], ["circle", "square"])
    about.add("test", ["3"], [small.getvalue()], ["日本"])
    assert about.metrics()["train"]["image_width_mean"] == 60
    assert about.metrics()["test"]["image_bytes_max"] == len(small.getvalue())
    alike = about.alike(6)
    assert (alike["pairs"], alike["across_splits"]) == (1, 1)
    assert alike["first"][0]["pictures"] == ["train: 1", "test: 3"]
    about.draw(tmp_path / "samples.png")
    with Image.open(tmp_path / "samples.png") as sheet:
        assert sheet.height == 3 * 100 + 4


def pairs_of(blocks) -> list[tuple[int, int, int]]:
    return sorted((int(a), int(b), int(d)) for i, j, ds in blocks for a, b, d in zip(i, j, ds, strict=True))


def test_pairs_are_found_faster_and_are_the_same(monkeypatch):
    draws = np.random.default_rng(0)
    hashes = draws.integers(0, 2**64, 400, dtype=np.uint64)
    flips = np.bitwise_or.reduce(np.uint64(1) << draws.integers(0, 64, (200, 5), dtype=np.uint64), axis=1)
    hashes = np.concatenate([hashes, hashes[:200] ^ flips, hashes[:20]])
    expected = {
        (int(a), int(b), int(d)) for i, j, ds in near_pairs(hashes, 6) for a, b, d in zip(i, j, ds, strict=True)
    }
    assert len(expected) > 200
    monkeypatch.setattr("registry.describe.pictures.FEW", 1)
    found = [(int(a), int(b), int(d)) for i, j, ds in pairs_alike(hashes, 6) for a, b, d in zip(i, j, ds, strict=True)]
    assert len(found) == len(expected)
    assert {*found} == expected
