"""The kind `images`: the example of docs/kinds.md, and pictures that a table names and that stay files."""

import os

import polars as pl
from PIL import Image

from clone import under_git
from configured import EXAMPLES, add, cleaning, metadata, only, table
from pictures import picture, zipped
from registry import open_dataset
from trainer import call_in_trainer

PETS = """
kind: images
about: {title: Pets, description: Cats and dogs., license: CC0 1.0}
sources:
  files:
    - {folder: pets, urls: [], accept: [], max_bytes: 1_000_000}
    - {file: pets.csv, urls: [], accept: [], max_bytes: 1_000_000}
params:
  table: pets.csv
  path: "{id}.jpg"
  columns: {label: species}
  files: true
contract:
  columns:
    image: {dtype: binary}
    label: {dtype: string, values: [cat, dog]}
    age: {dtype: int64, min: 0}
  rows:
    samples: {all: 4}
"""
SHAPES = {
    **{f"shapes/train/circle/{seed}.png": picture(seed, "PNG") for seed in range(4)},
    **{f"shapes/train/square/{seed}.jpg": picture(seed) for seed in range(4, 7)},
    "shapes/train/square/again.jpg": picture(6),
    "shapes/train/square/broken.jpg": picture(7)[:400],
    "shapes/val/Kreise/8.jpg": picture(8),
    "shapes/test/square/9.tif": picture(9, "TIFF", "CMYK"),
    "shapes/Thumbs.db": b"x",
    "README.md": b"Shapes",
}


def train_on_files(repo):
    from datasets import load_dataset
    from torch.utils.data import DataLoader

    from registry import open_dataset

    pets = open_dataset("pets", repo=repo)
    whole, streamed = pets.to_torch(), pets.to_torch(streaming=True)
    batches = DataLoader(streamed, batch_size=None, num_workers=2, multiprocessing_context="fork")
    assert sorted(one["file_name"] for one in batches) == sorted(one["file_name"] for one in whole)
    hf = pets.to_hf()["all"]
    assert hf[0]["image"].mode == "RGB"
    folders = load_dataset("imagefolder", data_dir=f"{repo}/data/pets/processed", split="train")
    assert folders.features["label"].names == ["cat", "dog"]
    return {
        "torch": [list(whole[number]["image"].shape) for number in range(len(whole))],
        "hf": hf.features["label"].int2str(hf["label"][:]),
        "folders": [folders["label"][:].count(label) for label in (1, 0)],
    }


def test_pictures_are_built_released_and_brought_back(bare, tmp_path, monkeypatch):
    add(only(bare), "shapes", EXAMPLES["shapes"], {"shapes.zip": zipped(SHAPES)})
    pets = {f"pets/{seed}.jpg": picture(seed) for seed in range(4)}
    rows = "id,species,age\n0,cat,1\n1,dog,2\n2,cat,3\n3,cat,4\n"
    add(bare, "pets", PETS, {**pets, "pets.csv": rows.encode()})
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    printed = clone.snakemake("--cores", "2")
    assert "shapes: released as shapes-v1.0.0" in printed
    assert "pets: released as pets-v1.0.0" in printed

    train, test = table(clone, "shapes", "train"), table(clone, "shapes", "test")
    assert train.columns == ["image", "label", "width", "height", "path"]
    assert train["label"].to_list() == ["circle"] * 4 + ["square"] * 3
    assert train["image"].to_list()[4:] == [picture(seed) for seed in (4, 5, 6)]
    assert test.select("label", "path").rows() == [
        ("square", "shapes/test/square/9.tif"),
        ("circle", "shapes/val/Kreise/8.jpg"),
    ]
    found = metadata(clone, "shapes")
    assert found["schema"]["features"]["label"]["classes"] == ["circle", "square"]
    assert found["splits"]["train"]["class_distribution"] == {"circle": 4, "square": 3}
    assert found["metrics"]["test"]["image_width_mean"] == 60
    summary = found["summary"]
    assert (summary["rows"], summary["dropped"], summary["converted_pictures"]) == (11, 2, 5)
    assert (summary["system_files"], summary["other_files"]) == (1, 1)
    assert summary["near_duplicates"] == {"pairs": 0, "across_splits": 0}
    assert cleaning(clone, "shapes")["first"]["corrupt"][0].startswith("shapes.zip:shapes/train/square/broken.jpg (")
    with Image.open(clone.folder / "reports/shapes/samples.png") as sheet:
        assert sheet.format == "PNG"

    kept = table(clone, "pets")
    assert kept.columns == ["file_name", "label", "age"]
    folder = clone.folder / "data/pets/processed"
    assert [(folder / name).read_bytes() for name in kept["file_name"]] == [*pets.values()]
    monkeypatch.setenv("REGISTRY_CACHE", str(tmp_path / "cache"))
    read = open_dataset("pets", repo=clone.folder).to_polars()
    assert read.drop("image").equals(kept)
    assert read["image"].to_list() == [*pets.values()]
    if "HF_PYTHON" in os.environ:
        found = call_in_trainer(tmp_path, train_on_files, str(clone.folder))
        assert found == {"torch": [[3, 40, 60]] * 4, "hf": ["cat", "dog", "cat", "cat"], "folders": [1, 3]}
    assert [*metadata(clone, "pets")["schema"]["features"]] == ["image", "label", "age"]
    assert pl.read_parquet(clone.folder / "data/pets/manifest.parquet")["key"].to_list()[0] == "pets.csv:0"

    assert "Nothing to be done" in clone.snakemake("-n")
    assert "identical" in clone.registry("verify", "pets")
    other = clone.cloned(tmp_path / "clone")
    other.registry("pull", "shapes", "pets")
    assert table(other, "shapes", "train").equals(train)
    assert (other.folder / "data/pets/processed" / kept["file_name"][0]).read_bytes() == pets["pets/0.jpg"]

    add(
        bare, "shapes", EXAMPLES["shapes"], {"shapes.zip": zipped({**SHAPES, "shapes/test/circle/10.jpg": picture(10)})}
    )
    clone.commit("Take one more picture")
    assert "shapes: released as shapes-v1.1.0 (MINOR)" in clone.snakemake("--cores", "2", "shapes")
    clone.registry("rollback", "shapes", "1.0.0")
    assert table(clone, "shapes", "test").equals(test)
