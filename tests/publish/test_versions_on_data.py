"""Each rule of version numbers, on a dataset that is really built, released and changed."""

import hashlib

import yaml

from clone import Clone


def released_after(clone: Clone, dataset: str, *, commit: bool = True) -> tuple[str, list[str]]:
    """Commit, build a dataset, let the hook release it, and return its newest version and what its tag says of it."""
    if commit:
        clone.commit("Change")
    clone.snakemake("--cores", "2", dataset.replace("-", "_"))
    newest = clone.registry_json("log", dataset)[0]
    return newest["version"], [line for line in newest["changes"] if not line.startswith(("rows: ", "content: "))]


def reconfigure(clone: Clone, dataset: str, **contract: object) -> None:
    """Change columns or rows of a contract; None takes a column out."""
    path = clone.folder / "config" / "datasets" / f"{dataset}.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    columns = config["contract"]["columns"] | contract.pop("columns", {})
    config["contract"]["columns"] = {name: rules for name, rules in columns.items() if rules is not None}
    config["contract"] |= contract
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


TABLE = '        table.sink_parquet(partial / "tabular.parquet", compression="zstd", row_group_size=ROWS)\n'


def test_rows_and_columns_of_tabular(released):
    clone = released
    processed = clone.folder / "scripts" / "tabular" / "process.py"
    original = processed.read_text(encoding="utf-8")

    def edited(line: str) -> None:
        lines = ("table = table.collect()", line, "table = table.lazy()")
        before = "".join(f"        {one}\n" for one in lines)
        processed.write_text(original.replace(TABLE, f"{before}{TABLE}"), encoding="utf-8")

    clone.configure("tabular", n_samples=1_100)
    assert released_after(clone, "tabular", commit=False) == ("1.1.0", ["MINOR: 100 rows added to all"])

    edited("table = table.with_columns(total=pl.col('feature_0') + 1)")
    reconfigure(clone, "tabular", columns={"total": {"dtype": "float64", "nullable": True}})
    assert released_after(clone, "tabular") == ("1.2.0", ["MINOR: column `total` added"])

    processed.write_text(original, encoding="utf-8")
    reconfigure(clone, "tabular", columns={"total": None})
    assert released_after(clone, "tabular") == ("2.0.0", ["MAJOR: column `total` removed"])

    edited("table[7, 'feature_0'] = 0.5")
    assert released_after(clone, "tabular") == ("3.0.0", ["MAJOR: 1 row changed in all (dataset.csv:7)"])

    edited(
        "table[7, 'feature_0'] = 0.5; row = table.head(1).with_columns(feature_0=pl.lit(9.5)); "
        "table = pl.concat([table.head(8), row, table.slice(8)])"
    )
    assert released_after(clone, "tabular") == ("4.0.0", ["MAJOR: 1 row inserted before the end of all"])

    processed.write_text(original, encoding="utf-8")
    clone.configure("tabular", n_samples=1_000)
    assert released_after(clone, "tabular") == (
        "5.0.0",
        ["MAJOR: 1 row changed in all (dataset.csv:7)", "MAJOR: 101 rows removed from all"],
    )


def test_other_draws_of_tabular(released):
    clone = released
    clone.configure("tabular", seed=7, class_balance=0.5)
    version, reasons = released_after(clone, "tabular", commit=False)
    assert (version, reasons) == (
        "2.0.0",
        ["MAJOR: 1,000 rows changed in all (dataset.csv:0, dataset.csv:1, dataset.csv:2, ...)"],
    )

    clone.configure("tabular", n_features=6)
    reconfigure(clone, "tabular", columns={"label": None})
    added = {"feature_5": {"dtype": "float64", "nullable": True}, "label": {"dtype": "int64"}}
    reconfigure(clone, "tabular", columns=added)
    version, reasons = released_after(clone, "tabular", commit=False)
    assert version == "3.0.0"
    assert "MAJOR: columns and rows changed at once" in reasons
    assert "MINOR: column `feature_5` added" in reasons


def test_bytes_columns_and_words_of_wine_quality(released):
    clone = released
    script = "scripts/wine_quality/process.py"
    clone.edit(script, 'compression="zstd"', 'compression="gzip"')
    hashes = [clone.git("show", "HEAD:data/wine-quality/metadata.json")]
    assert released_after(clone, "wine-quality") == ("1.0.1", ["PATCH: bytes differ, content does not"])
    hashes.append(clone.git("show", "HEAD:data/wine-quality/metadata.json"))
    assert hashes[0] == hashes[1]

    clone.edit("config/datasets/wine-quality.yaml", "title: Wine quality", "title: Wine")
    assert released_after(clone, "wine-quality", commit=False) == ("1.0.2", ["PATCH: metadata differs: dataset.title"])

    clone.edit(script, '.alias("wine_type"))', '.alias("wine_type"), pl.lit(1.0).alias("extra"))')
    reconfigure(clone, "wine-quality", columns={"extra": {"dtype": "float64"}})
    assert released_after(clone, "wine-quality") == ("2.0.0", ["MAJOR: column `extra` added"])

    clone.edit(script, "pl.lit(1.0)", "pl.lit(1, pl.Int64)")
    reconfigure(clone, "wine-quality", columns={"extra": {"dtype": "int64"}})
    assert released_after(clone, "wine-quality") == ("3.0.0", ["MAJOR: column `extra` changed from float64 to int64"])


def test_rows_that_move_between_splits_of_emotion(released):
    released.edit(
        "scripts/emotion/process.py",
        "        check_policies(cleanings, policies)\n",
        '        train, val = (pq.read_table(partial / name / f"{name}.parquet") for name in ("train", "val"))\n'
        '        pq.write_table(train.slice(10), partial / "train" / "train.parquet")\n'
        '        pq.write_table(pa.concat_tables([train.slice(0, 10), val]), partial / "val" / "val.parquet")\n'
        "        check_policies(cleanings, policies)\n",
    )
    reconfigure(released, "emotion", rows={"samples": {"train": 1_790, "val": 310, "test": 300}})
    version, reasons = released_after(released, "emotion")
    assert version == "2.0.0"
    assert "MAJOR: 10 rows moved from train to val" in reasons


def test_a_split_ratio_of_radiology_mini(released):
    released.configure("radiology-mini", test_ratio=0.5)
    reconfigure(released, "radiology-mini", rows={"samples": {"train": {"min": 1}, "test": {"min": 7}}})
    version, reasons = released_after(released, "radiology-mini", commit=False)
    moved = released.registry_json("log", "radiology-mini")
    assert version == "2.0.0", moved
    assert len(reasons) == 1
    assert reasons[0].startswith("MAJOR: ")
    assert reasons[0].endswith(" rows moved from train to test")


def test_a_readme_that_changed_is_minor(released):
    file = "opencloudhub-readmes/HEAD/docs/README.md"
    path = released.folder / "data" / "samples" / file
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(path.read_text(encoding="utf-8") + "\nMore.\n", encoding="utf-8")
    released.edit("data/samples/SHA256SUMS", before, hashlib.sha256(path.read_bytes()).hexdigest())
    version, reasons = released_after(released, "opencloudhub-readmes")
    assert (version, len(reasons)) == ("1.1.0", 1)
    assert reasons[0].startswith("MINOR: 1 row changed in all (")
