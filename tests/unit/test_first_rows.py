"""The first rows of a state that have given values."""

import polars as pl
import pytest

from registry.compare import tables
from registry.compare.first_rows import first_rows
from registry.describe.breaches import Row
from registry.errors import RegistryError
from registry.storage.snapshot import Snapshot

COLUMNS = {
    "label": ["a"] * 150 + ["new", "a", "new"],
    "number": [*[1] * 151, -2, 3],
    "flag": [*[None] * 152, True],
}
DTYPES = {"label": "string", "number": "int64", "flag": "bool"}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_first_row_with_each_value_is_found(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(tables, "VALUES", 1)
    folder = tmp_path / "data" / "some"
    rows = pl.DataFrame(COLUMNS)
    (folder / "processed" / "train").mkdir(parents=True)
    for part, those in enumerate((rows.head(100), rows.tail(53))):
        file = folder / "processed" / "train" / f"part-{part}.{suffix}"
        those.write_csv(file) if suffix == "csv" else those.write_parquet(file)
    keys = [f"key {row}" for row in range(153)]
    pl.DataFrame({"split": "train", "key": keys}).write_parquet(folder / "manifest.parquet")
    features = {name: {"dtype": dtype} for name, dtype in DTYPES.items()}
    metadata = {"schema": {"features": features}, "splits": {"train": {"num_samples": 153}}}
    provenance = {"data": {"path": "processed", "bytes": 1000}}
    some = Snapshot("some", "what is built", metadata, provenance, {}).in_tree(tmp_path)
    assert first_rows(some, "train", "label", ["new", "gone", "a"]) == {
        "a": Row("train", 0, "key 0"),
        "new": Row("train", 150, "key 150"),
    }
    assert first_rows(some, "train", "number", ["3", "-2"]) == {
        "-2": Row("train", 151, "key 151"),
        "3": Row("train", 152, "key 152"),
    }
    assert first_rows(some, "train", "flag", ["true"]) == {"true": Row("train", 152, "key 152")}
    with pytest.raises(RegistryError, match="its tables have no column other"):
        first_rows(some, "train", "other", ["a"])
