"""Fashion-MNIST from tiny IDX files to everything that its rules write."""

import gzip
import json
import struct

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from analyzing import rule
from fashion_mnist.analyze import ORIGINS, measure
from fashion_mnist.process import SCHEMA, process, read, read_splits
from registry.describe.description import describe
from registry.describe.figures import contact_sheet
from registry.errors import RegistryError
from registry.files import dvc_digest
from registry.formats.shards import WHOLE, Shard, read_parts, write_part

COUNTS = {"train": 40, "val": 11}
CLASSES = [f"class {number}" for number in range(10)]
DATASET = {
    "name": "fashion-mnist",
    "source": "samples",
    "about": {"title": "T", "description": "D", "license": "MIT"},
    "params": {"max_images": 100, "classes": CLASSES},
    "contract": {
        "columns": {"image": {"dtype": "uint8", "shape": [28, 28]}, "label": {"dtype": "uint8", "min": 0, "max": 9}},
        "rows": {"samples": COUNTS},
        "disjoint": True,
        "unique": True,
    },
}


def write_idx(path, array):
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def random_split(seed, count):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return images, np.arange(count, dtype=np.uint8) % 10


@pytest.fixture
def arrays():
    """Images and labels of each split; change them before `build`."""
    return {split: random_split(seed, count) for seed, (split, count) in enumerate(COUNTS.items())}


@pytest.fixture
def sources(tmp_path, arrays):
    """Write the arrays as IDX files and return what is read of a share of them."""

    def sources(shard=WHOLE):
        files = []
        for split, (images, labels) in arrays.items():
            files += [tmp_path / f"{split}-images.gz", tmp_path / f"{split}-labels.gz"]
            write_idx(files[-2], images)
            write_idx(files[-1], labels)
        return read_splits(files, 100, shard)

    return sources


@pytest.fixture
def build(tmp_path, arrays, sources):
    """Write the arrays as IDX files and process them."""

    def build():
        process(sources(), tmp_path / "data" / "processed")
        return {split: tmp_path / "data" / "processed" / split / f"{split}.parquet" for split in arrays}

    return build


@pytest.fixture
def analyzed(tmp_path, build):
    """Process and analyze; return the folder with what was written."""

    def analyzed():
        files, data = build(), tmp_path / "data"
        with describe(rule(data, DATASET, data / "processed"), pq.read_schema(files["train"])) as about:
            sheet = measure(about, files, CLASSES)
        contact_sheet(sheet, CLASSES, data / "samples.png")
        return data

    return analyzed


def test_the_schema_is_what_training_code_reads(build):
    image = pa.list_(pa.list_(pa.uint8(), 28), 28)
    for path in build().values():
        schema = pq.read_schema(path)
        assert schema.equals(pa.schema([("image", image), ("label", pa.uint8())]))
        assert pl.read_parquet_schema(path) == {"image": pl.Array(pl.UInt8, (28, 28)), "label": pl.UInt8}


def test_pixels_and_labels_come_through_in_order(build, arrays):
    for split, path in build().items():
        table = pq.read_table(path)
        images, labels = arrays[split]
        np.testing.assert_array_equal(np.array(table["image"].to_pylist(), dtype=np.uint8), images)
        np.testing.assert_array_equal(table["label"].to_numpy(), labels)
        np.testing.assert_array_equal(pl.read_parquet(path)["image"].to_numpy(), images)


def test_more_images_than_a_batch_come_through(build, arrays, monkeypatch):
    monkeypatch.setattr("fashion_mnist.process.ROWS", 7)
    for split, path in build().items():
        assert pq.read_metadata(path).num_row_groups == -(-COUNTS[split] // 7)
        np.testing.assert_array_equal(pl.read_parquet(path)["image"].to_numpy(), arrays[split][0])


def test_equal_sources_make_equal_bytes(build, tmp_path):
    build()
    once = dvc_digest(tmp_path / "data" / "processed")
    build()
    assert dvc_digest(tmp_path / "data" / "processed") == once


@pytest.mark.parametrize("of", [2, 7, 20])
def test_the_bytes_do_not_depend_on_the_number_of_shards(build, sources, tmp_path, monkeypatch, of):
    monkeypatch.setattr("fashion_mnist.process.ROWS", 5)
    build()
    once = dvc_digest(tmp_path / "data" / "processed")
    parts = {split: [tmp_path / f"{split}-{number}.arrow" for number in range(of)] for split in COUNTS}
    for number in range(of):
        for split, batches in sources(Shard(number, of)).items():
            write_part(parts[split][number], batches, SCHEMA)
    process({split: read_parts(files) for split, files in parts.items()}, tmp_path / "data" / "processed")
    assert dvc_digest(tmp_path / "data" / "processed") == once


@pytest.mark.parametrize("of", [2, 7])
@pytest.mark.parametrize(("images", "words"), [(41, "data goes on after the 40 items"), (39, "truncated: wanted")])
def test_a_file_of_another_length_than_it_says_is_found_by_one_of_the_shards(tmp_path, monkeypatch, of, images, words):
    monkeypatch.setattr("fashion_mnist.process.ROWS", 5)
    header = struct.pack(">4B3I", 0, 0, 8, 3, 40, 28, 28)
    (tmp_path / "images.gz").write_bytes(gzip.compress(header + bytes(images * 28 * 28)))
    write_idx(tmp_path / "labels.gz", np.zeros(40, np.uint8))
    found = []
    for number in range(of):
        try:
            list(read(tmp_path / "images.gz", tmp_path / "labels.gz", 100, Shard(number, of)))
        except RegistryError as error:
            found.append(str(error))
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        ((40, 28, 28), 39, "train-labels.gz: 40 pictures but 39 labels"),
        ((40, 28, 28), 41, "train-labels.gz: 40 pictures but 41 labels"),
        ((40, 28, 27), 40, "train-images.gz: expected pictures of 28x28, found 28x27"),
        ((40, 784, 1), 40, "train-images.gz: expected pictures of 28x28, found 784x1"),
        ((101, 28, 28), 101, r"train-images.gz: 101 pictures, more than max_images \(100\)"),
    ],
)
def test_sources_that_do_not_fit_are_refused_and_leave_nothing(build, arrays, tmp_path, images, labels, words):
    arrays["train"] = np.zeros(images, np.uint8), np.zeros(labels, np.uint8)
    with pytest.raises(RegistryError, match=words):
        build()
    assert not any((tmp_path / "data").iterdir())


def test_images_given_as_labels_are_refused(tmp_path, arrays):
    write_idx(tmp_path / "images.gz", arrays["train"][0])
    with pytest.raises(RegistryError, match="expected the IDX magic number 0x00000801, found 0x00000803"):
        process({"train": read(tmp_path / "images.gz", tmp_path / "images.gz", 100)}, tmp_path / "processed")


def test_a_broken_file_keeps_the_data_of_the_last_run(build, arrays, tmp_path):
    files = build()
    once = dvc_digest(tmp_path / "data" / "processed")
    arrays["val"] = arrays["val"][0], arrays["val"][1][:-1]
    with pytest.raises(RegistryError):
        build()
    assert dvc_digest(tmp_path / "data" / "processed") == once
    assert all(path.is_file() for path in files.values())


@pytest.mark.parametrize("rows", [7, 1000])
def test_metrics_are_those_of_numpy_in_batches_of_any_size(analyzed, arrays, monkeypatch, rows):
    monkeypatch.setattr("fashion_mnist.analyze.ROWS", rows)
    metadata = json.loads((analyzed() / "metadata.json").read_text())
    for split, (images, _) in arrays.items():
        scaled = images / 255
        expected = {"mean": scaled.mean(), "std": scaled.std(), "min": scaled.min(), "max": scaled.max()}
        expected = {f"pixel_{name}": value for name, value in expected.items()} | {"pixel_median": np.median(scaled)}
        assert metadata["metrics"][split] == pytest.approx(expected, abs=1e-9)


def test_metadata_has_the_keys_that_clients_read(analyzed, arrays):
    metadata = json.loads((analyzed() / "metadata.json").read_text())
    assert metadata["dataset"]["name"] == "fashion-mnist"
    assert metadata["schema"]["features"]["label"] == {"dtype": "uint8", "classes": CLASSES}
    assert metadata["schema"]["features"]["image"]["dtype"] == "fixed_size_list<fixed_size_list<uint8>[28]>[28]"
    for split, (_, labels) in arrays.items():
        assert metadata["splits"][split]["num_samples"] == COUNTS[split]
        expected = dict(zip(CLASSES, np.bincount(labels, minlength=10).tolist(), strict=True))
        assert metadata["splits"][split]["class_distribution"] == expected


def test_the_manifest_names_each_sample_by_file_and_position(analyzed, monkeypatch):
    monkeypatch.setattr("fashion_mnist.analyze.ROWS", 7)
    manifest = pl.read_parquet(analyzed() / "manifest.parquet")
    expected = [(f"{ORIGINS[split]}:{at}", split) for split, count in COUNTS.items() for at in range(count)]
    assert list(zip(manifest["key"], manifest["split"], strict=True)) == expected


def test_the_input_of_a_sample_is_its_picture_alone(analyzed, arrays):
    before = pl.read_parquet(analyzed() / "manifest.parquet")
    arrays["train"][1][0] = 9
    after = pl.read_parquet(analyzed() / "manifest.parquet")
    assert before["input_id"].equals(after["input_id"])
    assert [at for at in range(51) if before["sample_id"][at] != after["sample_id"][at]] == [0]


def test_everything_is_the_same_in_batches_of_another_size(analyzed, monkeypatch):
    names = ["metadata.json", "samples.png"]
    folder = analyzed()
    once = [(folder / name).read_bytes() for name in names]
    table = pl.read_parquet(folder / "manifest.parquet")
    monkeypatch.setattr("fashion_mnist.analyze.ROWS", 7)
    analyzed()
    assert [(folder / name).read_bytes() for name in names] == once
    assert pl.read_parquet(folder / "manifest.parquet").equals(table)


def test_provenance_holds_the_digest_of_the_data(analyzed):
    folder = analyzed()
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["data"]["md5"] == dvc_digest(folder / "processed")
    assert provenance["data"]["files"] == 2
    assert provenance["manifest"]["md5"] == dvc_digest(folder / "manifest.parquet")
    assert provenance["contract"]["passed"]


def test_the_sheet_has_a_row_for_each_class(analyzed):
    with Image.open(analyzed() / "samples.png") as sheet:
        assert sheet.height == 4 + 10 * 60


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda train, val: train[1].__setitem__(3, 10), "train: label: at most 9: found 10 in row 3"),
        (lambda train, val: train[1].__setitem__(3, 255), "train: label: at most 9: found 255 in row 3"),
        (
            lambda train, val: train[0].__setitem__(5, train[0][2]),
            "none twice in a split: found 'train-images-idx3-ubyte.gz:2 = train-images-idx3-ubyte.gz:5'",
        ),
        (
            lambda train, val: val[0].__setitem__(1, train[0][2]),
            "none in two splits: found 't10k-images-idx3-ubyte.gz:1 = train-images-idx3-ubyte.gz:2'",
        ),
    ],
    ids=["label-10", "label-255", "twin", "leak"],
)
def test_data_that_breaks_the_contract_is_refused_and_leaves_no_facts(analyzed, arrays, tmp_path, spoil, words):
    spoil(arrays["train"], arrays["val"])
    with pytest.raises(RegistryError, match=words):
        analyzed()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        ".processed.md5",
        "processed",
        "sources.json",
    ]


def test_a_class_without_pictures_is_counted_as_none(analyzed, arrays):
    for images, labels in arrays.values():
        labels[:] = 3
        assert len(images) == len(labels)
    metadata = json.loads((analyzed() / "metadata.json").read_text())
    assert metadata["splits"]["val"]["class_distribution"] == dict.fromkeys(CLASSES, 0) | {"class 3": 11}
