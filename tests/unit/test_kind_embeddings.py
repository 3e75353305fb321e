"""The kind `embeddings`: what of its file is refused, and which datasets can be searched."""

import pytest
import yaml

from configured import EXAMPLES
from registry.authoring.drafts import Wishes
from registry.authoring.embeddings import embeddings_of
from registry.authoring.new import new
from registry.config.load import Datasets, check_free, load_datasets
from registry.errors import RegistryError
from registry.kinds.files import Format
from registry.storage.repository import read_config
from registry.vectors.datasets import chosen_dataset
from registry.vectors.settings import Embedded, read_settings, table_of
from support import ROOT

HANDBOOK, SEARCH = yaml.safe_load(EXAMPLES["handbook"]), yaml.safe_load(EXAMPLES["handbook-search"])
"""The examples of docs/kinds.md."""


@pytest.fixture
def root(tmp_path):
    """A checkout with these two datasets, and the project's code."""
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_text((ROOT / "config" / "config.yaml").read_text())
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    put(tmp_path, "handbook", HANDBOOK)
    put(tmp_path, "handbook-search", SEARCH)
    return tmp_path


def put(root, name, content):
    (root / "config" / "datasets" / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def loaded(root) -> Datasets:
    return load_datasets(read_config(root), root)


def changed(**params):
    return SEARCH | {"params": SEARCH["params"] | params}


def test_the_example_is_valid_and_follows_its_documents(root):
    datasets = loaded(root)
    assert not datasets.broken
    assert datasets["handbook-search"]["source"] == datasets["handbook"]["source"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(of="handbok"), r"sources: let it be datasets: \[handbok\]"),
        (SEARCH | {"sources": {"datasets": ["handbook", "other"]}}, r"sources: let it be datasets: \[handbook\]"),
        (changed(questions="asked"), r"sources: let it be datasets: \[handbook, asked\]"),
        (changed(context=["section_h4"]), "chunks have no section_h4: perhaps you mean section_h"),
        (changed(context=["content"]), "params.context: chunks have no content"),
        (
            changed(columns={"page": "path"}),
            "contract.columns: let it have these columns, in this order: id, content, ",
        ),
        (
            changed(columns={"data_version": "path", "run": "path"}),
            "params.columns: chunks have data_version, run already",
        ),
        (changed(columns={"content": "path"}), "params.columns: chunks have content already"),
        (changed(of="../secrets"), "params: not valid:\n  of: "),
        (changed(of="handbook/../../x.parquet"), "params: not valid:\n  of: "),
        (changed(of="handbook/.dvc/x.parquet"), "params: not valid:\n  of: "),
    ],
    ids=range(11),
)
def test_what_does_not_fit_is_named(root, content, words):
    put(root, "handbook-search", content)
    with pytest.raises(RegistryError, match=words):
        loaded(root)["handbook-search"]


def test_columns_that_documents_lack_are_named(root):
    content = changed(columns={"path": "title"})
    put(root, "handbook-search", content)
    with pytest.raises(RegistryError, match="params.of: handbook has no column title, there is path, "):
        loaded(root)["handbook-search"]


def test_a_dataset_without_a_kind_is_named_by_its_table(root):
    put(root, "handbook", {key: value for key, value in HANDBOOK.items() if key not in ("kind", "params")})
    put(root, "handbook-search", changed(of="handbook/processed/handbook.parquet"))
    assert "handbook-search" in loaded(root)


@pytest.mark.parametrize("spec", [{"list": {"dtype": "string"}}, {"struct": {"a": {"dtype": "string"}}}])
def test_a_column_of_several_values_names_no_document(root, spec):
    columns = HANDBOOK["contract"]["columns"] | {"path": spec}
    put(root, "handbook", HANDBOOK | {"contract": HANDBOOK["contract"] | {"columns": columns}})
    with pytest.raises(RegistryError, match="params.columns: path of handbook has several values"):
        loaded(root)["handbook-search"]


@pytest.mark.parametrize("name", ["handbook-chunk", "handbook-search-embed", "handbook-process"])
def test_a_dataset_that_is_called_as_a_rule_of_another_is_left_out_alone(root, name):
    put(root, name, HANDBOOK)
    datasets = loaded(root)
    assert [*datasets.broken] == [name]
    assert "is a rule of handbook" in str(datasets.broken[name])
    with pytest.raises(RegistryError, match="is a rule of handbook"):
        check_free(name, datasets)
    with pytest.raises(RegistryError, match="would be called as that of handbook-chunk"):
        check_free("handbook", Datasets({"handbook-chunk": HANDBOOK}))


def test_questions_need_their_columns(root):
    put(root, "asked", HANDBOOK)
    put(root, "handbook-search", changed(questions="asked") | {"sources": {"datasets": ["handbook", "asked"]}})
    with pytest.raises(RegistryError, match="params.questions: asked has no column question, key_concepts, category"):
        loaded(root)["handbook-search"]


def chosen(root, name=None):
    return chosen_dataset(loaded(root), name)


def test_the_only_one_with_vectors_is_searched_unless_another_is_named(root):
    assert chosen(root) == chosen(root, "handbook-search") == "handbook-search"
    with pytest.raises(RegistryError, match="handbook: it has no vectors\n  what to do: name one of handbook-search"):
        chosen(root, "handbook")
    with pytest.raises(RegistryError, match="no such file"):
        chosen(root, "nothing")
    put(root, "vectors", {key: value for key, value in SEARCH.items() if key != "kind"} | {"params": {}})
    assert chosen(root) == "handbook-search"
    put(root, "other-search", SEARCH)
    with pytest.raises(RegistryError, match="choose one with --dataset: handbook-search, other-search"):
        chosen(root)


def test_each_has_a_table_of_its_own_and_the_environment_names_one(tmp_path):
    named = {"PGVECTOR_TABLE_NAME": "mine"}
    assert table_of("opencloudhub-readmes-embeddings", named) == "mine"
    assert table_of("handbook-search", named) == "handbook_search"
    assert table_of("readme-embeddings", {}) != table_of("opencloudhub-readmes-embeddings", {}) == "readme_embeddings"
    long = {table_of(f"{'a' * 90}-{end}", {}) for end in "xy"}
    assert [len(name) for name in long] == [63, 63]
    config = {"vector_store": "embedded", "vector_versions": 3}
    settings = read_settings(config, tmp_path, {}, dataset="handbook-search")
    assert (settings.table, settings.place) == ("handbook_search", Embedded(tmp_path / ".vectors"))
    assert settings.command("load") == "registry vectors load --dataset handbook-search"


@pytest.mark.parametrize("documents", [["nothing"], ["handbook", "handbook"], ["handbook-search"]])
def test_new_embeddings_are_of_one_dataset_of_documents(root, documents):
    wanted = "one dataset of the kind documents\n  what to do: name one of handbook"
    with pytest.raises(RegistryError, match=wanted), new(root, "found", documents, Format(), Wishes("embeddings")):
        pass


@pytest.mark.parametrize("wishes", [{"key": "path"}, {"ratios": {"a": 0.5, "b": 0.5}}, {"packed": True}])
def test_new_embeddings_take_no_wishes_about_files(root, wishes):
    with pytest.raises(RegistryError, match="embeddings are not made of files"):
        embeddings_of(root, "found", ["handbook"], Format(), Wishes("embeddings", **wishes))
    with pytest.raises(RegistryError, match="embeddings are not made of files"):
        embeddings_of(root, "found", ["handbook"], Format(separator=";"), Wishes("embeddings"))


def test_what_is_wrong_with_the_documents_is_told(root):
    put(root, "handbook", HANDBOOK | {"about": {}})
    with pytest.raises(RegistryError, match="config/datasets/handbook.yaml: not valid"):
        embeddings_of(root, "found", ["handbook"], Format(), Wishes("embeddings"))


def test_new_writes_the_example_but_for_its_bounds(root):
    with new(root, "found", ["handbook"], Format(), Wishes("embeddings")) as made:
        params = {**made.content["params"], "chunks": SEARCH["params"]["chunks"]}
    assert params == SEARCH["params"]
    assert made.content["about"]["license"] == HANDBOOK["about"]["license"]
    assert [*made.content["contract"]["columns"]] == [*SEARCH["contract"]["columns"]]
    put(root, "found", yaml.safe_load(made.text))
    assert "found" in loaded(root)
