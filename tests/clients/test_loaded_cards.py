"""What Hugging Face's `datasets` makes of the card of each dataset, in the folder where it was built."""

import json

import pytest

from project import DATASETS
from trainer import call_in_trainer

PICTURES = "radiology-mini"


def load_all(folders, cache):
    from datasets import load_dataset

    found = {}
    for name, folder in folders.items():
        splits = load_dataset(folder, cache_dir=f"{cache}/{name}")
        found[name] = {split: [rows.num_rows, list(rows.features)] for split, rows in splits.items()}
    return found


@pytest.fixture(scope="module")
def loaded(released_once, tmp_path_factory):
    place = tmp_path_factory.mktemp("cards")
    folders = {name: str(released_once.folder / "data" / name) for name in DATASETS}
    return call_in_trainer(place, load_all, folders, str(place / "cache"))


@pytest.mark.parametrize("name", DATASETS)
def test_its_folder_is_loaded_with_the_splits_and_columns_of_its_card(released_once, loaded, name):
    metadata = json.loads((released_once.folder / "data" / name / "metadata.json").read_text(encoding="utf-8"))
    splits = {split: about["num_samples"] for split, about in metadata["splits"].items()}
    columns = ["image"] if name == PICTURES else [*metadata["schema"]["features"]]
    expected = {"train": splits["all"]} if "all" in splits else splits
    assert loaded[name] == {split: [rows, columns] for split, rows in expected.items()}
