"""Reading the configuration: what is taken, and how each mistake is told."""

import os
import shutil

import pytest
import yaml

from registry.config.load import (
    ONE_RUN,
    Datasets,
    check_samples,
    load_datasets,
    needed,
    normalise,
    parents,
    referenced,
    selected,
    source_files,
)
from registry.config.reading import parse_checksums, read_checksums, read_yaml
from registry.config.schema import MAX_BREACHES, SCHEMAS, breaches, validate
from registry.errors import RegistryError
from support import ROOT

RELEASE = {"remote": None, "branch": None, "push": False, "identity": None}
CONFIG = {
    "datasets": "all",
    "source": "samples",
    "mirror": None,
    "publish": False,
    "vector_store": "embedded",
    "vector_versions": 3,
    "release": RELEASE,
}
FILE = {
    "file": "a.csv",
    "urls": ["https://example.org/a.csv"],
    "accept": [{"sha256": "a" * 64, "note": "as published"}],
    "max_bytes": 100,
}
DATASET = {
    "about": {"title": "T", "description": "D", "license": "MIT"},
    "sources": {"files": [FILE]},
    "params": {},
    "contract": {"columns": {"a": {"dtype": "int64"}}, "rows": {}},
}


@pytest.fixture
def root(tmp_path):
    """A repository with the datasets `one` and `two`; `write` adds or replaces one."""
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    write(tmp_path, "one", DATASET)
    write(tmp_path, "two", {**DATASET, "source": "upstream"})
    return tmp_path


def write(root, name, dataset):
    (root / "config" / "datasets" / f"{name}.yaml").write_text(yaml.safe_dump(dataset, sort_keys=False))


def loaded(config, root):
    """Load datasets, and raise the error of the first that is broken."""
    datasets = load_datasets(config, root)
    for error in datasets.broken.values():
        raise error
    return datasets


def changed(value, path, new):
    """Return a copy of nested dictionaries and lists with one place set, or taken out if `new` is Ellipsis."""
    copy = yaml.safe_load(yaml.safe_dump(value, sort_keys=False))
    place = copy
    for step in path[:-1]:
        place = place[step]
    if new is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return copy


def test_datasets_come_in_order_with_name_and_source(root):
    assert loaded(CONFIG, root) == {
        "one": {"name": "one", "source": "samples", **DATASET},
        "two": {"name": "two", **DATASET, "source": "upstream"},
    }


def test_a_datasets_own_source_outranks_the_default(root):
    datasets = load_datasets({**CONFIG, "source": "mirror", "mirror": "folder"}, root)
    assert {name: dataset["source"] for name, dataset in datasets.items()} == {"one": "mirror", "two": "upstream"}


def test_a_dataset_without_sources_is_generated(root):
    write(root, "one", changed(DATASET, ["sources"], ...))
    assert loaded(CONFIG, root)["one"]["source"] == "generated"


@pytest.mark.parametrize("word", ["true", "yes", "on", "True", "YES", "On", True])
def test_publish_takes_every_way_to_say_yes(word):
    assert normalise({**CONFIG, "publish": word}) == {**CONFIG, "publish": True}


@pytest.mark.parametrize("word", ["false", "no", "off", "False", "NO", "Off", False])
def test_publish_takes_every_way_to_say_no(word):
    assert normalise({**CONFIG, "publish": word}) == {**CONFIG, "publish": False}


@pytest.mark.parametrize("junk", ["maybe", "", "1", 1, 0, None, [], ["yes"], {}])
def test_publish_refuses_anything_else_by_name(root, junk):
    with pytest.raises(RegistryError, match="  publish: .* is not of type 'boolean'"):
        load_datasets(normalise({**CONFIG, "publish": junk}), root)


def test_a_key_of_before_is_one_message_with_its_new_spelling(root):
    old = {"coverage_at_5": 0.6, "mrr": 0.65}
    write(root, "one", {**DATASET, "contract": {**DATASET["contract"], "retrieval": old}})
    with pytest.raises(RegistryError) as raised:
        loaded(CONFIG, root)
    assert str(raised.value).splitlines() == [
        "config/datasets/one.yaml: contract.retrieval is called floors now",
        "  what to do: write floors: {retrieval.all.coverage_at_5: 0.6, retrieval.all.mrr: 0.65}",
    ]


def test_normalise_leaves_its_argument_alone():
    config = {**CONFIG, "publish": "no"}
    normalise(config)
    assert config["publish"] == "no"


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        (["sorce"], "samples", r"\(top level\): .*'sorce' was unexpected"),
        (["source"], ..., r"\(top level\): 'source' is a required property"),
        (["publish"], ..., r"\(top level\): 'publish' is a required property"),
        (["release"], ..., r"\(top level\): 'release' is a required property"),
        (["release", "push"], ..., "release: 'push' is a required property"),
        (["release", "push"], "yes", "release.push: 'yes' is not of type 'boolean'"),
        (["release", "identity"], "Ada", "release.identity: 'Ada' does not match"),
        (["release", "identity"], "Ada <a@b.c>\n", "release.identity: .* does not match"),
        (["release", "colour"], "red", "release: .*'colour' was unexpected"),
        (["source"], "samplse", r"source: 'samplse' is not one of \['samples', 'mirror', 'upstream'\]"),
        (["source"], None, "source: None is not one of"),
        (["datasets"], [], "datasets: .*not valid"),
        (["datasets"], "one", "datasets: 'one' is not valid"),
        (["datasets"], [1], "datasets: .*not valid"),
        (["datasets"], ["one", "one"], "datasets: .*not valid"),
        (["mirror"], 7, "mirror: 7 is not of type 'string', 'null'"),
        (["vector_store"], "oracle", r"vector_store: 'oracle' is not one of \['embedded', 'server'\]"),
        (["vector_versions"], 0, "vector_versions: 0 is less than the minimum of 1"),
        (["vector_versions"], "many", "vector_versions: 'many' is not of type 'integer'"),
    ],
)
def test_a_mistake_in_the_configuration_names_its_key(root, path, new, words):
    with pytest.raises(RegistryError, match=f"config/config.yaml and --config: not valid:\n  {words}") as raised:
        load_datasets(changed(CONFIG, path, new), root)
    assert "what to do: fix these keys" in str(raised.value)


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        (["abuot"], {}, r"\(top level\): .*'abuot' was unexpected"),
        (["about"], ..., r"\(top level\): 'about' is a required property"),
        (["contract"], ..., r"\(top level\): 'contract' is a required property"),
        (["about", "licence"], "MIT", "about: .*'licence' was unexpected"),
        (["about", "title"], "", "about.title: ''"),
        (["contract", "floors"], {"summary.files": "many"}, "contract.floors.summary.files: 'many' is not of type"),
        (["contract", "floors"], [1], r"contract.floors: \[1\] is not of type 'object'"),
        (["contract", "retrieval"], 1, "contract: .*'retrieval' was unexpected"),
        (["about", "title"], ..., "about: 'title' is a required property"),
        (["source"], "cloud", "source: 'cloud' is not one of"),
        (["sources"], {}, "sources: one of files, github and datasets is needed"),
        (["sources"], {"sample": {"rows": 1}, "datasets": ["two"]}, ".*\n.*sources: sample is for files"),
        (["sources", "sample"], {"rows": 1}, r"\(top level\): sources.sample is for datasets that have a kind"),
        (
            ["sources", "sample"],
            {"rows": 1, "fraction": 0.5},
            ".*\n  sources.sample: either rows or fraction is needed",
        ),
        (["sources", "sample"], {"rows": 1, "seed": 1}, ".*\n  sources.sample: seed is for fraction"),
        (["sources", "sample"], {"fraction": 0}, ".*\n  sources.sample.fraction: 0 is less than or equal"),
        (["sources", "files", 0, "folder"], "a", "sources.files.0: either file or folder is needed"),
        (["sources", "files", 0, "file"], ..., "sources.files.0: either file or folder is needed"),
        (["sources", "files", 0, "max_files"], 1, "sources.files.0: max_files is for a folder"),
        (
            ["sources", "files", 0],
            {"folder": "a", **{key: FILE[key] for key in ("urls", "accept", "max_bytes")}},
            "sources.files.0.urls.0: a folder cannot be listed by HTTP",
        ),
        (["sources", "files"], [], "sources.files: "),
        (["sources", "files", 0, "urls"], ["ftp://a/b"], "sources.files.0.urls.0: no URL that is read here"),
        (["sources", "files", 0, "urls"], "https://a/b", "sources.files.0.urls: .* is not of type 'array'"),
        (["sources", "files", 0, "max_bytes"], "1 MB", "sources.files.0.max_bytes: '1 MB' is not of type 'integer'"),
        (["sources", "files", 0, "max_bytes"], 0, "sources.files.0.max_bytes: 0 is less than the minimum of 1"),
        (["sources", "files", 0, "accept", 0, "sha256"], "A" * 64, "sources.files.0.accept.0.sha256: "),
        (["sources", "files", 0, "accept", 0, "note"], ..., "sources.files.0.accept.0: 'note' is a required"),
        (["sources", "files", 0, "accept", 0, "modes"], ["samples"], "sources.files.0.accept.0.modes.0: 'samples'"),
        (["contract", "columns"], {}, "contract.columns: "),
        (["contract", "columns"], {"": {"dtype": "int64"}}, "contract.columns: "),
        (["contract", "columns", "a", "dtype"], "int", "contract.columns.a.dtype: 'int' is not one of"),
        (["contract", "columns", "a", "mim"], 0, "contract.columns.a: .*'mim' was unexpected"),
        (["contract", "rows"], {"samples": {"train": "many"}}, "contract.rows.samples.train: 'many'"),
        (["contract", "rows"], {"sample": {"train": 1}}, "contract.rows: .*'sample' was unexpected"),
    ],
)
def test_a_mistake_in_a_dataset_names_its_file_and_key(root, path, new, words):
    write(root, "one", changed(DATASET, path, new))
    with pytest.raises(RegistryError, match=f"config/datasets/one.yaml: not valid:\n  {words}"):
        loaded(CONFIG, root)


COLUMNS = ["contract", "columns"]


@pytest.mark.parametrize(
    "column",
    [
        {"dtype": "int64", "min": -(2**63), "max": 2**63 - 1, "values": [0, 1]},
        {"dtype": "uint8", "min": 0, "max": 255, "values": [0, 255]},
        {"dtype": "float64", "min": -0.5, "max": 1, "values": [0, 0.5]},
        {"dtype": "float32", "values": [0, 0.5]},
        {"dtype": "bool", "values": [True]},
        {"dtype": "string", "values": ["no"], "min_length": 2, "max_length": 2},
        {"dtype": "binary", "nullable": True},
        {"dtype": "int8", "min": -128, "max": 127},
        {"dtype": "uint64", "max": 10**19 - 1},
        {"dtype": "int16", "shape": [2, 2]},
        {"dtype": "float16", "min": 0.5},
        {"dtype": "decimal", "precision": 5, "scale": 2, "min": "-0.05", "max": 1.5, "values": [0, "1.25"]},
        {"dtype": "date", "min": "2020-01-31", "max": "2020-02-01", "values": ["2020-01-31"]},
        {"dtype": "time", "min": "08:30", "max": "18:30:00.5"},
        {"dtype": "timestamp", "min": "2020-01-31", "max": "2020-01-31T00:00:01", "resolution": "ns"},
        {
            "dtype": "timestamp",
            "zone": "Europe/Berlin",
            "min": "2020-01-31T00:00:00+01:00",
            "max": "2020-01-30T23:30:00Z",
        },
        {"dtype": "duration", "resolution": "ms"},
        {"values": ["a", "b"], "description": "Which one", "unit": "1"},
        {"min_length": 1, "nullable": True},
        {"matches": r"\p{Lu}+(?-u:\d)"},
        {"list": {"dtype": "int32", "min": 0}, "min_items": 1, "max_items": 1, "nullable": True, "description": "Some"},
        {"struct": {"a": {"list": {"struct": {"b": {"min_length": 1}}}}, "c d": {"dtype": "uint8", "shape": [2]}}},
    ],
)
def test_values_and_bounds_that_a_column_can_have(root, column):
    write(root, "one", changed(DATASET, COLUMNS, {"a": column}))
    assert loaded(CONFIG, root)["one"]["contract"]["columns"]["a"] == column


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"dtype": "string", "values": ["a", 1]}, "a.values.1: 1 is not of type 'string'"),
        ({"dtype": "string", "values": [False]}, "a.values.0: False is not of type 'string'"),
        ({"dtype": "int64", "values": [0, "1"]}, "a.values.1: '1' is not of type 'integer'"),
        ({"dtype": "int64", "values": [True]}, "a.values.0: True is not of type 'integer'"),
        ({"dtype": "int64", "values": [0.5]}, "a.values.0: 0.5 is not of type 'integer'"),
        ({"dtype": "int64", "max": 2**63}, "a.max: 9223372036854775808 is greater than the maximum"),
        ({"dtype": "int64", "min": 0.5}, "a.min: 0.5 is not of type 'integer'"),
        ({"dtype": "uint8", "max": 256}, "a.max: 256 is greater than the maximum of 255"),
        ({"dtype": "uint8", "min": -1}, "a.min: -1 is less than the minimum of 0"),
        ({"dtype": "float64", "values": ["high"]}, "a.values.0: 'high' is not of type 'number'"),
        ({"dtype": "float64", "min": "0"}, "a.min: '0' is not of type 'number'"),
        ({"dtype": "bool", "values": [0]}, "a.values.0: 0 is not of type 'boolean'"),
        ({"dtype": "bool", "min": 0}, "a.dtype: 'bool' is not one of"),
        ({"dtype": "binary", "values": ["a"]}, "a.values: ['a'] is expected to be empty"),
        ({"dtype": "float32", "shape": []}, "a.shape: "),
        ({"dtype": "float32", "shape": [2, 2], "unit_norm": True}, "a.shape: "),
        ({"dtype": "int64", "min": 5, "max": 1}, "contract.columns.a: min 5 is more than max 1"),
        ({"dtype": "float64", "min": 0.2, "max": 0.1}, "contract.columns.a: min 0.2 is more than max 0.1"),
        (
            {"dtype": "string", "min_length": 5, "max_length": 1},
            "contract.columns.a: min_length 5 is more than max_length 1",
        ),
        ({}, "a: 'dtype' is a required property"),
        ({"nullable": True}, "a: 'dtype' is a required property"),
        ({"min": 0}, "a: 'dtype' is a required property"),
        ({"values": [1]}, "a.values.0: 1 is not of type 'string'"),
        ({"min_length": 1, "min": 0}, "a: 'min' is not one of"),
        ({"dtype": "int64", "matches": "a"}, "a.dtype: 'string' was expected"),
        ({"dtype": "int64", "zone": "UTC"}, "a.dtype: 'timestamp' was expected"),
        ({"dtype": "decimal", "precision": 5}, "a: 'scale' is a required property"),
        ({"dtype": "decimal", "precision": 2, "scale": 3}, "columns.a: scale 3 is more than precision 2"),
        ({"dtype": "decimal", "precision": 5, "scale": 2, "min": "x"}, "columns.a.min: 'x' should be a decimal number"),
        (
            {"dtype": "decimal", "precision": 5, "scale": 2, "min": "nan"},
            "columns.a.min: 'nan' should be a number of at most 2",
        ),
        (
            {"dtype": "decimal", "precision": 5, "scale": 2, "values": [0.125]},
            "columns.a.values: 0.125 should be a number of at most 2",
        ),
        ({"dtype": "int32", "max": 2**31}, "a.max: 2147483648 is greater than the maximum of 2147483647"),
        ({"dtype": "date", "min": 2020}, "a.min: 2020 is not of type 'string'"),
        ({"dtype": "date", "min": "2020-02-30"}, "columns.a.min: '2020-02-30' should be a date, such as 2020-12-31"),
        (
            {"dtype": "date", "min": "2020-02-02", "max": "2020-02-01"},
            "columns.a: min 2020-02-02 is more than max 2020",
        ),
        ({"dtype": "date", "values": ["1.2.2020"]}, "columns.a.values: '1.2.2020' should be a date"),
        ({"dtype": "time", "min": "25:00"}, "columns.a.min: '25:00' should be a time of day, such as 18:30:00"),
        ({"dtype": "time", "min": "12:00Z"}, "columns.a.min: '12:00Z' has an offset from UTC, which"),
        ({"dtype": "timestamp", "min": "2020-01-31T00:00:00Z"}, "00Z' has an offset from UTC, for which"),
        (
            {"dtype": "timestamp", "zone": "UTC", "max": "2020-01-31"},
            "columns.a.max: '2020-01-31' has no offset from UTC, such",
        ),
        (
            {"dtype": "timestamp", "zone": "UTC", "min": "0001-01-01T00:00:00+01:00"},
            "columns.a.min: '0001-01-01T00:00:00+01:00' should be a timestamp of the years 1 to 9999 in UTC",
        ),
        (
            {"dtype": "timestamp", "resolution": "ns", "values": ["0001-01-01"]},
            "columns.a.values: '0001-01-01' is no timestamp of nanoseconds",
        ),
        ({"dtype": "timestamp", "zone": "+01:00"}, "columns.a: zone +01:00 is an offset from UTC: name a zone"),
        (
            {"dtype": "decimal", "precision": 4, "scale": 2, "max": "1e400"},
            "columns.a.max: '1e400' should be a number of at most 4 digits",
        ),
        (
            {"dtype": "decimal", "precision": 4, "scale": 2, "values": [100]},
            "columns.a.values: 100 should be a number of at most 4 digits",
        ),
        ({"dtype": "duration", "min": 1}, "a.dtype: 'duration' is not one of"),
        ({"matches": "(a"}, "columns.a: matches is no regular expression: missing ), unterminated subpattern"),
        ({"matches": "[a"}, "columns.a: matches is no regular expression: unterminated character set"),
        ({"matches": "*"}, "columns.a: matches is no regular expression: nothing to repeat"),
        ({"list": {"dtype": "int64"}, "dtype": "int64"}, "a: 'dtype' is not one of"),
        ({"list": {"dtype": "int64"}, "min": 0}, "a: 'min' is not one of"),
        ({"list": {}}, "a.list: 'dtype' is a required property"),
        ({"list": {"dtype": "int64", "description": "a number"}}, "a.list: 'description' should not be valid"),
        ({"list": {"dtype": "int8", "max": 128}}, "a.list.max: 128 is greater than the maximum of 127"),
        ({"list": {"dtype": "int8", "min": 2, "max": 1}}, "columns.a[]: min 2 is more than max 1"),
        (
            {"list": {"dtype": "int8"}, "min_items": 2, "max_items": 1},
            "columns.a: min_items 2 is more than max_items 1",
        ),
        ({"dtype": "int8", "min_items": 1}, "a: 'list' is a required property"),
        ({"struct": {}}, "a.struct: "),
        ({"struct": {"b": {"dtype": "text"}}}, "a.struct.b.dtype: 'text' is not one of"),
        ({"struct": {"b": {"matches": "(a"}}}, "columns.a.b: matches is no regular expression"),
        ({"struct": {"b": {"min_length": 1}}, "min_items": 1}, "a: 'min_items' is not one of"),
    ],
)
def test_values_and_bounds_that_a_column_cannot_have(root, column, words):
    write(root, "one", changed(DATASET, COLUMNS, {"a": column}))
    with pytest.raises(RegistryError, match="config/datasets/one.yaml: not valid:\n") as raised:
        loaded(CONFIG, root)
    assert words in str(raised.value)


def test_numbers_of_rows_that_nothing_is_between(root):
    write(root, "one", changed(DATASET, ["contract", "rows"], {"samples": {"train": {"min": 5, "max": 1}}}))
    with pytest.raises(RegistryError, match="  contract.rows.samples.train: min 5 is more than max 1\n"):
        loaded(CONFIG, root)


@pytest.mark.parametrize("bound", [".inf", "-.inf", ".nan", "1.0e+999", "2026-01-31", "12:30", "010"])
def test_a_bound_that_is_no_number_of_json(root, bound):
    path = root / "config" / "datasets" / "one.yaml"
    path.write_text(
        path.read_text().replace("dtype: int64", f"{{dtype: float64, min: {bound}}}").replace("a:\n      {", "a: {")
    )
    with pytest.raises(RegistryError, match="one.yaml: not valid YAML: .*, line"):
        loaded(CONFIG, root)


def test_a_dataset_without_params_need_not_say_so(root):
    write(root, "one", changed(DATASET, ["params"], ...))
    assert loaded(CONFIG, root)["one"]["params"] == {}


def test_what_is_wrong_with_a_dataset_stops_it_and_what_is_made_of_it_alone(root):
    write(root, "both", made_of("two"))
    (root / "config" / "datasets" / "two.yaml").write_text("about: [")
    (root / "config" / "datasets" / "Odd.yaml").write_text("")
    datasets = load_datasets(CONFIG, root)
    assert [*datasets] == ["one"]
    assert {*datasets.broken} == {"Odd", "both", "two"}
    assert selected(CONFIG, datasets) == ["one"]
    with pytest.raises(RegistryError, match="two.yaml: not valid YAML"):
        datasets["two"]
    with pytest.raises(RegistryError, match="both.yaml: it is made of two, which is left out itself"):
        datasets["both"]
    assert "two" not in load_datasets({**CONFIG, "datasets": ["two"]}, root)


def test_samples_that_are_not_listed_stop_their_dataset_alone(root):
    write(root, "both", made_of("one"))
    (root / "data" / "samples").mkdir(parents=True)
    (root / "data" / "samples" / "SHA256SUMS").write_text("")
    datasets = load_datasets(CONFIG, root)
    check_samples(datasets, root)
    assert [*datasets] == ["two"]
    with pytest.raises(RegistryError, match="SHA256SUMS: no sample of a.csv"):
        datasets["one"]


def test_a_name_that_is_nearly_that_of_a_dataset_is_suggested(root):
    write(root, "emotion", DATASET)
    with pytest.raises(RegistryError, match="there is no emotoin\n  what to do: did you mean emotion\\? choose from: "):
        load_datasets({**CONFIG, "datasets": ["emotoin"]}, root)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a?b=c",
        "s3://bucket/a folder/*.csv",
        "hf://datasets/owner/name@main/a.csv",
        "gs://bucket/a",
        "az://container/a",
        "/data/a file.csv",
        "inbox/a.csv",
        "../a.csv",
    ],
)
def test_addresses_that_are_read(root, url):
    write(root, "one", changed(DATASET, ["sources", "files", 0, "urls"], [url]))
    assert loaded(CONFIG, root)["one"]["sources"]["files"][0]["urls"] == [url]


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@example.org/a",
        "s3://key:secret@bucket/a",
        "s3://bucket",
        "file:///etc/passwd",
        "ftp://example.org/a",
        "github://a/b",
        "~/a.csv",
        "C:/a.csv",
        "",
        "a\nb",
        "s3://bucket/a\0",
    ],
)
def test_addresses_that_are_not_read(root, url):
    write(root, "one", changed(DATASET, ["sources", "files", 0, "urls"], [url]))
    with pytest.raises(RegistryError, match="sources.files.0.urls.0: no URL that is read here") as raised:
        loaded(CONFIG, root)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("names", [["a", "a"], ["a", "a/b"], ["a/b", "a"], ["sources.json"]])
def test_sources_cannot_be_in_each_others_place(root, names):
    files = [changed(FILE, ["file"], name) for name in names]
    write(root, "one", changed(DATASET, ["sources", "files"], files))
    with pytest.raises(RegistryError, match=f"sources.files: {min(names)} is there twice"):
        loaded(CONFIG, root)


@pytest.mark.parametrize(
    "name", ["../a", "a/../b", "/a", "a//b", ".a", "a/.b", "a/", "", "a b", "a\\b", "ä", "~/a", "a:b"]
)
def test_a_source_file_cannot_leave_its_folder_or_hide(root, name):
    write(root, "one", changed(DATASET, ["sources", "files", 0, "file"], name))
    with pytest.raises(RegistryError, match="sources.files.0.file: "):
        loaded(CONFIG, root)


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (["about", "title"], "</script><img src=x onerror=alert(1)>"),
        (["params"], {"classes": ["joy", "<SCRIPT>alert(1)"]}),
        (["params"], {"a": {"<!--": 1}}),
    ],
)
def test_what_would_run_as_a_script_in_the_report_is_refused(root, path, new):
    write(root, "one", changed(DATASET, path, new))
    with pytest.raises(RegistryError, match="config/datasets/one.yaml: it would run as a script in the report: <"):
        loaded(CONFIG, root)


def test_all_mistakes_of_a_file_are_told_at_once(root):
    write(root, "one", changed(changed(DATASET, ["params"], []), ["about", "title"], 7))
    with pytest.raises(RegistryError, match="\n  about.title: 7 .*\n  params: "):
        loaded(CONFIG, root)


def test_of_very_many_mistakes_only_some_are_told():
    one = changed(DATASET, ["contract", "columns"], {f"column {number}": 7 for number in range(1000)})
    lines = breaches(one, "dataset")
    assert len(lines) == MAX_BREACHES + 1
    assert lines[-1] == "and more"
    assert all(line.endswith("7 is not of type 'object'") for line in lines[:-1])


def test_a_mistake_with_a_long_value_is_cut():
    (line,) = breaches(changed(DATASET, ["about", "title"], ["x" * 10_000]), "dataset")
    assert line.startswith("about.title: ['xxx")
    assert len(line) < 600


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: b: c", "\tx", "a: !!python/name:os.system", b"\xff\xfe", "x: 2026-99-99", "x: " + "9" * 5000,
     "x: " + "[" * 5000, "x: &x [1]\ny: *x", "x: 1\nx: 2", "#" * (2 << 20)],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_what_is_not_yaml_is_refused_with_its_name(root, text):
    path = root / "config" / "datasets" / "one.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RegistryError, match=r"one.yaml: (not valid YAML: |[\d,]+ bytes, more than)"):
        loaded(CONFIG, root)


@pytest.mark.parametrize("text", ["", "just text", "- a\n- list\n", "'1': 2\n"])
def test_yaml_that_is_no_dataset_is_refused(root, text):
    (root / "config" / "datasets" / "one.yaml").write_text(text)
    with pytest.raises(RegistryError, match="one.yaml: not valid:"):
        loaded(CONFIG, root)


def test_a_missing_yaml_file_is_named(tmp_path):
    with pytest.raises(RegistryError, match="none.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")


def test_an_unknown_dataset_is_named_with_the_choice(root):
    with pytest.raises(RegistryError, match="datasets: there is no three, four\n  what to do: choose from: one, two"):
        load_datasets({**CONFIG, "datasets": ["one", "three", "four"]}, root)


def test_selected_are_all_or_those_that_were_named(root):
    datasets = loaded(CONFIG, root)
    assert selected(CONFIG, datasets) == ["one", "two"]
    assert selected({**CONFIG, "datasets": ["two"]}, datasets) == ["two"]


@pytest.mark.parametrize("mirror", [None, ""])
def test_a_mirror_needs_a_place(root, mirror):
    with pytest.raises(RegistryError, match="source is mirror, but mirror names no folder or URL"):
        load_datasets({**CONFIG, "source": "mirror", "mirror": mirror}, root)


def test_a_datasets_own_mirror_mode_needs_a_place_only_if_it_is_built(root):
    write(root, "two", {**DATASET, "source": "mirror"})
    assert load_datasets({**CONFIG, "datasets": ["one"]}, root)
    with pytest.raises(RegistryError, match="mirror names no folder or URL"):
        loaded(CONFIG, root)


@pytest.mark.parametrize(
    "name", ["samples", "registry", "all", "all-rules", "refusals", "steps", "Upper", "under_score", "-", "a--b"]
)
def test_a_name_that_is_taken_or_cannot_be_one_is_refused(root, name):
    write(root, name, DATASET)
    with pytest.raises(
        RegistryError, match=f"{name}.yaml: the file's name is not a valid dataset name\n  what to do: use"
    ):
        loaded(CONFIG, root)


@pytest.mark.parametrize("name", ["one-v1", "one-v", "one-vocabulary"])
def test_a_name_like_a_version_of_another_is_refused(root, name):
    write(root, name, DATASET)
    with pytest.raises(RegistryError, match=f"{name}.yaml: the name would be mistaken for a version tag of one"):
        loaded(CONFIG, root)


def test_aliases_are_no_part_of_what_makes_the_data(root):
    write(root, "one", {**DATASET, "aliases": ["uno", "first-one"]})
    datasets = loaded(CONFIG, root)
    assert datasets.aliases == {"one": ["uno", "first-one"], "two": []}
    assert datasets["one"] == {"name": "one", "source": "samples", **DATASET}


def test_shards_are_no_part_of_what_makes_the_data(root):
    write(root, "one", {**DATASET, "shards": 7})
    datasets = loaded(CONFIG, root)
    assert datasets.shards == {"one": 7}
    assert datasets["one"] == {"name": "one", "source": "samples", **DATASET}


@pytest.mark.parametrize("shards", [0, -1, 1_001, "7", 1.5, None])
def test_shards_are_a_number_within_bounds(root, shards):
    write(root, "one", {**DATASET, "shards": shards})
    with pytest.raises(RegistryError, match="  shards: "):
        loaded(CONFIG, root)["one"]


@pytest.mark.parametrize(
    ("alias", "reason"),
    [
        ("Uno", "Uno is not a valid dataset name"),
        ("a" * 101, f"{'a' * 101} is not a valid dataset name"),
        ("a/b", "a/b is not a valid dataset name"),
        ("samples", "samples is not a valid dataset name"),
        ("one", "one is a dataset"),
        ("two", "two is a dataset"),
        ("uno", "uno is an alias of one"),
        ("one-v2", "one-v2 would be mistaken for a version tag of one"),
        ("uno-v1", "uno-v1 would be mistaken for a version tag of uno"),
        ("three", "three-v1 would be mistaken for a version tag of three"),
        ("un", None),
    ],
)
def test_an_alias_that_cannot_be_told_from_others_stops_its_dataset_alone(root, alias, reason):
    write(root, "one", {**DATASET, "aliases": ["uno"]})
    write(root, "three-v1", DATASET)
    write(root, "two", {**DATASET, "aliases": [alias]})
    datasets = load_datasets(CONFIG, root)
    assert datasets.aliases == {"one": ["uno"], "three-v1": []} | ({} if reason else {"two": [alias]})
    assert {name: error.reason for name, error in datasets.broken.items()} == (
        {"two": f"config/datasets/two.yaml: aliases: {reason}"} if reason else {}
    )


@pytest.mark.parametrize("aliases", [[], "uno", ["uno", "uno"], [1], None])
def test_aliases_are_a_list_of_names(root, aliases):
    write(root, "one", {**DATASET, "aliases": aliases})
    with pytest.raises(RegistryError, match="  aliases"):
        loaded(CONFIG, root)


def test_a_name_like_a_version_of_nothing_is_taken(root):
    write(root, "three-v1", DATASET)
    write(root, "one-two", DATASET)
    assert list(loaded(CONFIG, root)) == ["one", "one-two", "three-v1", "two"]


class TestSourceFiles:
    """What a dataset fetches in each mode, under which hashes."""

    @pytest.fixture
    def files(self, root):
        """Return `source_files` of a dataset in a mode; its file has a hash for all modes and one for the mirror."""
        (root / "data" / "samples").mkdir(parents=True)
        (root / "data" / "samples" / "SHA256SUMS").write_text(f"{'c' * 64}  one/a.csv\n{'d' * 64}  two/a.csv\n")
        accept = [*FILE["accept"], {"sha256": "b" * 64, "note": "repacked", "modes": ["mirror"]}]
        dataset = {"name": "one", **changed(DATASET, ["sources", "files", 0, "accept"], accept)}
        return lambda mode, **options: source_files({**dataset, **options, "source": mode}, root)

    @pytest.mark.parametrize(
        ("mode", "accepted"),
        [("upstream", ["a" * 64]), ("mirror", ["a" * 64, "b" * 64]), ("samples", ["c" * 64])],
    )
    def test_each_mode_has_its_hashes(self, files, mode, accepted):
        (file,) = files(mode)
        assert file == {"file": "a.csv", "urls": FILE["urls"], "max_bytes": 100, "sha256": accepted}

    def test_no_hash_for_a_mode_is_an_empty_list(self, files):
        only_mirror = changed(DATASET, ["sources", "files", 0, "accept", 0, "modes"], ["mirror"])
        assert files("upstream", sources=only_mirror["sources"])[0]["sha256"] == []

    def test_a_missing_sample_is_named(self, files):
        with pytest.raises(
            RegistryError, match="data/samples/SHA256SUMS: no sample of a.csv\n  what to do: put one into"
        ):
            files("samples", name="three")

    def test_samples_need_their_checksums(self, files, root):
        (root / "data" / "samples" / "SHA256SUMS").unlink()
        with pytest.raises(RegistryError, match="SHA256SUMS: no such file"):
            files("samples")
        assert files("upstream")


@pytest.mark.parametrize("line", ["a" * 63 + "  name", "a" * 64, "a" * 64 + " name", "A" * 64 + "  name", "name"])
def test_a_line_that_is_no_checksum_is_named(line):
    with pytest.raises(RegistryError, match="SUMS: line 2 is not `<sha256>  <file>`"):
        parse_checksums(f"{'a' * 64}  good\n{line}\n", where="SUMS")


def test_checksums_are_read_as_sha256sum_writes_them(tmp_path):
    (tmp_path / "SUMS").write_text(f"{'a' * 64}  a b.csv\n{'b' * 64} *binary\n\n")
    assert read_checksums(tmp_path / "SUMS") == {"a b.csv": "a" * 64, "binary": "b" * 64}


class TestThisRepository:
    """The configuration in this repository itself."""

    def test_it_is_valid(self):
        config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
        for name, dataset in load_datasets(config, ROOT).items():
            if "files" in dataset.get("sources", {}):
                assert source_files({**dataset, "name": name, "source": "samples"}, ROOT)

    def test_it_has_exactly_the_keys_of_its_schema(self):
        config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
        schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text())
        assert set(config) == set(schema["properties"]) - ONE_RUN.keys()
        # A registry from before has no number of shards, and no catalog.
        assert set(schema["properties"]) - set(schema["required"]) == {"shards", "catalog", *ONE_RUN}

    @pytest.mark.parametrize("mode", ["mirror", "upstream"])
    def test_its_datasets_load_in_every_mode(self, mode):
        config = {**CONFIG, "source": mode, "mirror": "folder"}
        assert load_datasets(config, ROOT)

    @pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.yaml")), ids=lambda path: path.name)
    def test_its_schemas_are_schemas(self, path):
        from jsonschema import Draft202012Validator

        Draft202012Validator.check_schema(yaml.safe_load(path.read_text()))

    def test_its_datasets_can_be_validated_from_any_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        validate(CONFIG, "config", where="here")
        shutil.copytree(ROOT / "config", tmp_path / "config")
        assert load_datasets(CONFIG)


def referring(dataset, column, **spec):
    to = {"dataset": dataset, "column": column}
    return changed(DATASET, COLUMNS, {"b": {"list": {"dtype": "int64", **spec, "references": to}}})


def test_a_contract_may_refer_to_a_column_of_another_dataset_or_of_its_own(root):
    write(root, "three", referring("one", "a"))
    own = changed(DATASET, [*COLUMNS, "b"], {"dtype": "int64", "references": {"dataset": "four", "column": "a"}})
    write(root, "four", own)
    datasets = loaded(CONFIG, root)
    assert (referenced(datasets["three"]), needed(datasets["three"])) == (["one"], ["one"])
    assert (referenced(datasets["four"]), needed(datasets["four"])) == (["four"], [])


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (referring("nine", "a"), "references: nine is no dataset\n"),
        (referring("one", "c"), "references: one has no column c\n"),
        (referring("one", "a", dtype="int32"), "references: a of one is of another type\n"),
        (referring("three", "b"), "references: b of three is of another type\n"),
    ],
)
def test_what_a_contract_cannot_refer_to(root, dataset, words):
    write(root, "three", dataset)
    with pytest.raises(RegistryError, match=rf"datasets/three.yaml: contract.columns.b\[\]: {words}"):
        loaded(CONFIG, root)


def held_against(against):
    return changed(DATASET, ["contract", "quality"], {"leakage": {"against": against}})


def test_rows_are_held_against_other_datasets_which_are_needed_for_that(root):
    write(root, "three", held_against(["one", "two"]))
    datasets = loaded(CONFIG, root)
    assert referenced(datasets["three"]) == needed(datasets["three"]) == ["one", "two"]


@pytest.mark.parametrize(
    ("against", "words"),
    [
        (["nine"], "against: nine is no dataset"),
        ({"one": {"column": "c", "fail": 0}}, "against: one has no column c"),
        (["three"], "against.three: it is this dataset itself"),
    ],
)
def test_what_rows_cannot_be_held_against(root, against, words):
    write(root, "three", held_against(against))
    with pytest.raises(RegistryError, match=f"contract.quality.leakage.{words}"):
        loaded(CONFIG, root)


def test_a_dataset_that_refers_to_a_broken_one_is_left_out_with_it(root):
    write(root, "three", referring("one", "a"))
    write(root, "four", {**referring("three", "b"), "contract": {"columns": {"b": {}}, "rows": {}}})
    write(root, "one", {})
    datasets = load_datasets(CONFIG, root)
    assert [*datasets] == ["two"]
    assert "it refers to one, which is left out itself" in str(datasets.broken["three"])
    datasets = Datasets({"one": DATASET, "three": referring("one", "a")})
    datasets.leave_out("one", RegistryError("gone"))
    assert "it refers to one, which is left out itself" in str(datasets.broken["three"])


def made_of(*names):
    return {**DATASET, "sources": {"datasets": list(names)}}


@pytest.mark.parametrize(("names", "source"), [(["two", "one"], "upstream"), (["one", "two"], "mirror")])
def test_a_dataset_made_of_others_follows_the_first_ones_mode(root, names, source):
    write(root, "both", made_of(*names))
    datasets = load_datasets({**CONFIG, "source": "mirror", "mirror": "folder"}, root)
    assert datasets["both"]["source"] == source
    assert parents(datasets["both"]) == names
    assert parents(datasets["one"]) == []


def test_a_dataset_made_of_a_generated_one_is_generated(root):
    write(root, "one", changed(DATASET, ["sources"], ...))
    write(root, "both", made_of("one"))
    assert loaded(CONFIG, root)["both"]["source"] == "generated"


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({"both": made_of("three")}, "both.yaml: sources.datasets: three is no dataset"),
        ({"both": made_of("both")}, "both.yaml: sources.datasets: both is made of others itself"),
        (
            {"both": made_of("one"), "most": made_of("one", "both")},
            "most.yaml: sources.datasets: both is made of others",
        ),
        ({"both": {**made_of("one"), "source": "mirror"}}, "sources: "),
        ({"both": made_of()}, "sources.datasets: "),
        ({"both": made_of("one", "one")}, "sources.datasets: "),
        ({"both": {**DATASET, "sources": {"datasets": ["one"], "files": [FILE]}}}, "sources: "),
    ],
)
def test_what_a_dataset_cannot_be_made_of(root, datasets, words):
    for name, dataset in datasets.items():
        write(root, name, dataset)
    with pytest.raises(RegistryError, match=words):
        loaded(CONFIG, root)


@pytest.mark.parametrize("odd", ["folder", "pipe", "link to itself"])
def test_what_is_no_file_makes_its_own_dataset_broken(tmp_path, odd):
    path = tmp_path / "config" / "datasets" / "odd.yaml"
    path.parent.mkdir(parents=True)
    match odd:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(path)
    with pytest.raises(RegistryError, match="odd.yaml: cannot be read: "):
        read_yaml(path)
