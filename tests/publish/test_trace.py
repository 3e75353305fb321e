"""`registry samples`, `find` and `diff` on real releases."""

import csv
import io
import json
import shutil

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from clone import Clone
from project import DATASETS
from registry.files import json_digest
from registry.storage.dvc import Store
from registry.storage.git import Git
from tiny import make_tiny

ROWS = {"fashion-mnist": {"train": 2000, "val": 500}, "tabular": {"all": 1000}}


def manifest(clone, dataset):
    return pq.read_table(clone.folder / "data" / dataset / "manifest.parquet").to_pylist()


def found(clone, *given):
    """Where something is: {(tag, split, key)}."""
    return {(place["tag"], place["split"], place["key"]) for place in clone.registry_json("find", *given)["places"]}


def holders(clone, dataset, row):
    """Where samples that are about the same as a row of a manifest are, in a registry of 1.0.0 alone."""
    same = [other for other in manifest(clone, dataset) if other["input_id"] == row["input_id"]]
    return {(f"{dataset}-v1.0.0", other["split"], other["key"]) for other in same}


def test_the_samples_of_a_version_are_those_of_its_manifest(released_once):
    printed = released_once.registry_json("samples", "fashion-mnist-v1.0.0")
    assert printed["splits"] == ROWS["fashion-mnist"]
    assert printed["tag"] == "fashion-mnist-v1.0.0"
    expected = [
        {
            "key": row["key"],
            "split": row["split"],
            "sample_id": row["sample_id"].hex(),
            "input_id": row["input_id"].hex(),
        }
        for row in manifest(released_once, "fashion-mnist")
    ]
    assert printed["rows"] == expected
    assert printed["total"] == len(expected)

    rows = csv.reader(io.StringIO(released_once.registry("samples", "fashion-mnist", "--csv", "--split", "val")))
    assert list(rows) == [list(expected[0]), *(list(row.values()) for row in expected if row["split"] == "val")]


def test_a_person_is_shown_the_first_samples_and_how_to_see_all(released_once):
    printed = released_once.registry("samples", "fashion-mnist-v1.0.0")
    ids = [row["sample_id"].hex() for row in manifest(released_once, "fashion-mnist")]
    assert "train 2,000, val 500" in printed
    assert [sample_id in printed for sample_id in ids[:21]] == [True] * 20 + [False]
    assert "20 of 2,500 rows; --limit N shows more, --json or --csv all." in printed
    printed = released_once.registry("samples", "fashion-mnist-v1.0.0", "--split", "val", "--limit", "2")
    assert [sample_id in printed for sample_id in (ids[0], *ids[2000:2003])] == [False, True, True, False]
    assert "2 of 500 rows" in printed
    limited = released_once.registry_json("samples", "fashion-mnist-v1.0.0", "--limit", "3")
    assert ([row["sample_id"] for row in limited["rows"]], limited["total"]) == (ids[:3], 2500)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tabular-v9.9.9"], "tabular has no version 9.9.9"),
        (["nothing"], "nothing is not a release"),
        (["tabular", "--split", "train"], "choose from: all"),
    ],
)
def test_what_is_not_there_has_no_samples(released_once, arguments, message):
    printed = released_once.registry("samples", *arguments, code=1)
    assert message in printed
    assert "Traceback" not in printed


def test_a_picture_is_found_by_an_export_of_it(released_once, tmp_path):
    place = 7
    image = pl.read_parquet(released_once.folder / "data/fashion-mnist/processed/val/val.parquet")["image"][place]
    Image.fromarray(image.to_numpy()).save(tmp_path / "bag.png")
    row = [row for row in manifest(released_once, "fashion-mnist") if row["split"] == "val"][place]
    assert found(released_once, str(tmp_path / "bag.png")) == holders(released_once, "fashion-mnist", row)


def test_a_source_picture_is_found_by_its_file(released_once):
    folder = released_once.folder / "data" / "radiology-mini" / "raw" / "images"
    places = [found(released_once, str(path)) for path in sorted(folder.glob("*.*g"))[:2]]
    assert all(place and {tag for tag, *_ in place} == {"radiology-mini-v1.0.0"} for place in places)
    assert places[0] != places[1]


def test_a_readme_is_found_by_its_file_and_by_its_text(released_once):
    path = released_once.folder / "data" / "samples" / "opencloudhub-readmes" / "HEAD" / "gitops" / "README.md"
    expected = {("opencloudhub-readmes-v1.0.0", "all", "gitops")}
    assert found(released_once, str(path)) == expected
    assert found(released_once, path.read_bytes().decode()) == expected


def test_a_text_is_found_and_its_dataset_can_be_named(released_once, tmp_path):
    row = manifest(released_once, "emotion")[5]
    text = pl.read_parquet(released_once.folder / "data/emotion/processed/train/train.parquet")["text"][5]
    (tmp_path / "feeling.txt").write_text(f"{text}\n", encoding="utf-8")
    expected = holders(released_once, "emotion", row)
    assert found(released_once, text) == expected
    assert found(released_once, str(tmp_path / "feeling.txt"), "--dataset", "emotion") == expected
    nothing = released_once.registry_json("find", text, "--dataset", "tabular", code=1)
    assert (nothing["places"], nothing["versions"]) == ([], 1)


def test_rows_of_tables_are_found_by_their_values(released_once):
    folder = released_once.folder / "data"
    wine = (folder / "wine-quality" / "processed" / "wine-quality.csv").read_text().splitlines()[300].split(",")
    expected = holders(released_once, "wine-quality", manifest(released_once, "wine-quality")[299])
    assert expected <= found(released_once, ",".join(wine))
    assert found(released_once, ",".join(wine[:11] + wine[12:])) == expected

    lines = (folder / "tabular" / "raw" / "dataset.csv").read_text().splitlines()
    place, gappy = next((place, line) for place, line in enumerate(lines) if ",," in line)
    expected = {("tabular-v1.0.0", "all", f"dataset.csv:{place - 1}")}
    assert found(released_once, gappy) == expected
    assert found(released_once, gappy.rpartition(",")[0]) == expected


def test_an_id_is_found(released_once):
    row = manifest(released_once, "radiology-mini")[3]
    for name in ("sample_id", "input_id"):
        assert ("radiology-mini-v1.0.0", row["split"], row["key"]) in found(released_once, row[name].hex())


def test_a_row_is_found_by_its_key(released_once):
    row = manifest(released_once, "emotion")[7]
    assert found(released_once, row["key"]) == {("emotion-v1.0.0", row["split"], row["key"])}


def test_the_versions_made_from_a_source_file_are_found_by_it_and_by_its_name(released_once):
    file = "data/samples/wine-quality/winequality-red.csv"
    for given in (file, "winequality-red.csv", "data/wine-quality/raw/winequality-red.csv"):
        sources = released_once.registry_json("find", given)["sources"]
        assert [(one["tag"], one["file"]) for one in sources] == [("wine-quality-v1.0.0", "winequality-red.csv")], given
    assert "winequality-red.csv" in released_once.registry("find", file)


@pytest.mark.parametrize("given", ["-1.5", "-.5,high", "-1e5,2,h"])
def test_a_negative_number_is_no_option(released_once, given):
    for arguments in (
        [given, "--dataset", "tabular"],
        ["--dataset", "tabular", given],
        ["--dataset=tabular", "--", given],
    ):
        assert "Not in any of 1 versions" in released_once.registry("find", *arguments, code=1)


def test_what_is_nowhere_is_told_from_what_cannot_be_looked_for(released_once):
    printed = released_once.registry("find", "nobody ever wrote this", code=1)
    assert f"Not in any of {len(DATASETS)} versions; it was taken as: bytes, text" in printed
    assert released_once.registry_json("find", "nobody ever wrote this", code=1)["places"] == []
    assert "a folder, not a sample" in released_once.registry("find", "data", code=2)
    assert "nobody has no version" in released_once.registry("find", "text", "--dataset", "nobody", code=2)


def test_a_sample_is_traced_through_versions_from_manifests_alone(released: Clone, tmp_path):
    first = (released.folder / "data" / "tabular" / "raw" / "dataset.csv").read_text().splitlines()
    released.configure("tabular", n_samples=1200)
    released.snakemake("--cores", "2", "tabular")
    assert "tabular-v1.1.0" in released.tags()
    lines = (released.folder / "data" / "tabular" / "raw" / "dataset.csv").read_text().splitlines()

    clone = released.cloned(tmp_path / "clone")
    places = clone.registry_json("find", lines[1])["places"]
    assert [(place["tag"], place["latest"]) for place in places] == [
        ("tabular-v1.0.0", False),
        ("tabular-v1.1.0", True),
    ]
    assert found(clone, lines[1200]) == {("tabular-v1.1.0", "all", "dataset.csv:1199")}
    assert lines[: len(first)] == first

    store = Store(clone.folder, Git(clone.folder))
    pointers = [path for path in clone.git("ls-files", "data/*.dvc").splitlines() if "samples" not in path]
    held = {path for path in pointers if store.path(md5_in(clone.folder / path)).is_file()}
    assert held == {path for path in pointers if path.endswith("manifest.parquet.dvc")}

    printed = clone.registry("diff", "tabular", "1.0.0", "latest")
    assert "tabular-v1.0.0 -> tabular-v1.1.0" in printed
    assert "all, added: dataset.csv:1000, dataset.csv:1001, dataset.csv:1002 and 197 more" in printed
    assert "summary.num_samples" in printed
    assert "+20.00%" in printed
    difference = clone.registry_json("diff", "tabular", "1.0.0", "1.1.0")
    assert (difference["from"], difference["to"]) == ("tabular-v1.0.0", "tabular-v1.1.0")
    rows = difference["splits"]["all"]
    assert (rows["before"], rows["after"], rows["added"], rows["removed"]) == (1000, 1200, 200, 0)
    assert "tabular: data/tabular/processed is not here" in clone.registry("diff", "tabular", "1.0.0", code=1)

    assert "what is built" in released.registry("diff", "tabular", "1.0.0")
    assert released.registry_json("diff", "tabular", "1.0.0")["splits"]["all"]["added"] == 200
    assert "The samples are the same." in released.registry("diff", "tabular", "latest")


def md5_in(path):
    return yaml.safe_load(path.read_text())["outs"][0]["md5"]


def test_a_diff_shows_the_statistics_that_moved_most(released):
    path = released.folder / "data" / "wine-quality" / "metadata.json"
    metadata = json.loads(path.read_text())
    features = metadata["statistics"]["features"]
    for name, factor in zip(features, range(2, 20), strict=False):
        for moment in features[name]:
            features[name][moment] = features[name][moment] * factor + 1
    path.write_text(json.dumps(metadata))
    path = path.with_name("provenance.json")
    provenance = json.loads(path.read_text()) | {"metadata": {"sha256": json_digest(metadata)}}
    path.write_text(json.dumps(provenance))
    printed = released.registry("diff", "wine-quality", "latest")
    moved = [line for line in printed.splitlines() if "statistics.features." in line]
    number = sum(map(len, features.values()))
    assert len(moved) == 20
    assert f"{number - 20} more statistics moved; --all shows every one." in printed
    shown = [line.split()[-1] for line in moved]
    changes = [float(change.rstrip("%").replace(",", "")) for change in shown if change.endswith("%")]
    assert len(changes) > 10
    assert shown[-len(changes) :] == [change for change in shown if change.endswith("%")]
    assert changes == sorted(changes, reverse=True)
    every = released.registry("diff", "wine-quality", "latest", "--all")
    assert sum("statistics.features." in line for line in every.splitlines()) == number
    assert "more statistics" not in every


def test_a_damaged_manifest_in_the_cache_is_fetched_again(released):
    md5 = md5_in(released.folder / "data" / "emotion" / "manifest.parquet.dvc")
    cached = Store(released.folder, Git(released.folder)).path(md5)
    content = cached.read_bytes()
    cached.chmod(0o644)
    cached.write_bytes(content[:1000] + bytes(1) + content[1001:])
    assert released.registry_json("samples", "emotion-v1.0.0")["total"] == 2400
    assert cached.read_bytes() == content


def test_a_search_that_cannot_see_every_version_says_so(released):
    released.git("tag", "--annotate", "--message", "by hand", "tabular-v0.9.0", "HEAD~1")
    printed = released.registry_json("find", "nobody ever wrote this", code=2)
    assert printed["not_searched"] == ["tabular-v0.9.0"]
    assert "not searched: tabular-v0.9.0" in released.registry("find", "nobody ever wrote this", code=2)

    md5 = md5_in(released.folder / "data" / "emotion" / "manifest.parquet.dvc")
    for top in ("cache", "storage"):
        (released.folder / ".dvc" / top / "files" / "md5" / md5[:2] / md5[2:]).unlink()
    printed = released.registry("find", "nobody ever wrote this", code=2)
    assert "lacks files of this data: 1" in printed


def test_a_diff_shows_values_of_data_that_is_here_and_fetches_just_that_data_when_asked(tmp_path):
    tiny = make_tiny(tmp_path / "registry")
    for seed in (0, 100):
        tiny.build("numbers", 6, seed=seed)
        tiny.registry("publish", "numbers")
    first, second = "all, values.csv:0:\n    value: 0 -> 100\n", "all, values.csv:1:\n    value: 1 -> 101\n"
    assert f"{first}{second}" in tiny.registry("diff", "numbers", "1.0.0", "latest")

    clone = tiny.elsewhere(tmp_path / "clone")
    keys = "all, changed: values.csv:0, values.csv:1, values.csv:2 and 3 more"
    for command in (("1.0.0", "latest"), ("1.0.0", "latest", "--json")):
        printed = clone.registry("diff", "numbers", *command)
        assert keys in printed or '"values": null' in printed
        assert "are not shown: the data of numbers-v1.0.0 is not here; --rows N fetches it" in printed
    held = sorted((clone.folder / ".dvc" / "cache").rglob("*"))
    assert "rows are not shown" not in clone.registry("diff", "numbers", "1.0.0", "latest", "--rows", "0")
    assert sorted((clone.folder / ".dvc" / "cache").rglob("*")) == held

    printed = clone.registry("diff", "numbers", "1.0.0", "latest", "--rows", "1")
    assert first in printed
    assert second not in printed
    objects = {path for path in (clone.folder / ".dvc" / "cache" / "files").rglob("*") if path.is_file()}
    # Of each version the manifest, the list of files, and the three files of its one split.
    assert len(objects) == 10
    shutil.rmtree(tiny.folder / ".dvc" / "storage")
    shutil.rmtree(clone.folder / ".dvc" / "cache")
    printed = clone.registry("diff", "numbers", "1.0.0", "latest", "--rows", "1", code=1)
    assert "lacks files of this data: 1" in printed
