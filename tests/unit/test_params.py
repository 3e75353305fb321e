"""Params are checked, by name, before anything runs."""

import pytest

from project import DATASETS
from registry.config.checks import validate_params
from registry.config.load import read_yaml
from registry.errors import RegistryError
from support import ROOT

CONFIGS = {name: read_yaml(ROOT / "config" / "datasets" / f"{name}.yaml") for name in DATASETS}
PARAMS = {name: config.get("params", {}) for name, config in CONFIGS.items() if "kind" not in config}
"""Of the datasets with scripts of their own."""
WITH_PARAMS = sorted(name for name, params in PARAMS.items() if params)


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_the_params_of_the_configuration_are_good(name):
    validate_params(PARAMS[name], name, ROOT)


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_every_dataset_has_a_schema_of_its_params_if_an_empty_one(name):
    assert (ROOT / "scripts" / name.replace("-", "_") / "params.schema.yaml").is_file()


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_a_param_that_nobody_takes_is_named(name):
    with pytest.raises(
        RegistryError, match=f"config/datasets/{name}.yaml: params: not valid:.*\n.*'odd' was unexpected"
    ):
        validate_params(PARAMS[name] | {"odd": 1}, name, ROOT)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in WITH_PARAMS for key in PARAMS[name]])
def test_a_param_that_is_missing_is_named(name, key):
    params = {other: value for other, value in PARAMS[name].items() if other != key}
    with pytest.raises(RegistryError, match=f"'{key}' is a required property"):
        validate_params(params, name, ROOT)


@pytest.mark.parametrize(
    ("name", "key", "value", "message"),
    [
        ("emotion", "classes", ["joy", "joy"], "classes: "),
        ("emotion", "problems", PARAMS["emotion"]["problems"] | {"nulls": "ignore"}, "problems.nulls: 'ignore'"),
        ("emotion", "problems", {}, "'empty_texts' is a required property"),
        ("fashion-mnist", "max_images", 0, "max_images: 0"),
        ("opencloudhub-readmes", "max_bytes", "1", "max_bytes: '1' is not of type 'integer'"),
        (
            "opencloudhub-readmes",
            "problems",
            {"not_utf8": "keep", "empty": "drop", "huge": "drop"},
            "problems.not_utf8: ",
        ),
        ("radiology-mini", "test_ratio", 0, "test_ratio: 0"),
        ("radiology-mini", "test_ratio", 1.5, "test_ratio: 1.5"),
        ("radiology-mini", "jpeg_quality", 101, "jpeg_quality: 101"),
        ("radiology-mini", "prompt", {"name": "../x", "version": 1, "registry": "file"}, "prompt.name: '../x'"),
        ("radiology-mini", "problems", {}, "'corrupt' is a required property"),
        ("tabular", "n_samples", 0, "n_samples: 0"),
        ("tabular", "n_features", 1.5, "n_features: 1.5"),
        ("tabular", "class_balance", 1.1, "class_balance: 1.1"),
        ("tabular", "missing_rate", -1, "missing_rate: -1"),
    ],
)
def test_a_value_that_cannot_be_is_named(name, key, value, message):
    with pytest.raises(RegistryError) as caught:
        validate_params(PARAMS[name] | {key: value}, name, ROOT)
    assert message in str(caught.value)


def test_a_dataset_without_a_schema_may_have_any_params():
    validate_params({"anything": 1}, "no-such-dataset", ROOT)


@pytest.mark.parametrize(
    "text", ["type: [", "type: objekt", "required: 1", "properties: {a: 1}", "a: &x 1\nb: *x", "No: 1"]
)
def test_a_schema_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "scripts" / "books" / "params.schema.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match="books/params.schema.yaml: not "):
        validate_params({"a": 1}, "books", tmp_path)
