"""Hybrid search: what both rankings and their fusion give, whatever the question."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from postgres import MODEL, make_version, tag
from registry.config.reading import read_yaml
from registry.embedding.model import Model
from registry.errors import RegistryError
from registry.storage.repository import Repository
from registry.vectors import current
from registry.vectors import load as loading
from registry.vectors import search as searching
from registry.vectors.database import connected
from registry.vectors.load import load, use
from registry.vectors.search import EXCERPT, RANK_CONSTANT, check_model, excerpt_of, locked_table, search, terms_of
from registry.vectors.settings import DATASET
from support import ROOT

TEXTS = [
    "Train the model with Ray, then register it.",
    "The model registry keeps every model version; models are promoted to production.",
    "Deployments follow GitOps: ArgoCD deploys what git says.",
    "Storage is MinIO, an S3 server.",
    "Alerts and dashboards come from Prometheus and Grafana.",
    "A table | of | cells with `code` and 'quotes'.",
]
VECTORS = np.eye(8, dtype=np.float32)[: len(TEXTS)]


@pytest.fixture(scope="module")
def module_database(postgres):
    from postgres import Database

    admin = Database(postgres.server("postgres"))
    admin.run("CREATE DATABASE searching")
    yield Database(postgres.server("searching"))
    admin.run("DROP DATABASE searching WITH (FORCE)")


@pytest.fixture(scope="module")
def ask(module_database, tmp_path_factory):
    """Ask a question in words, with a vector, of the texts above."""
    import pyarrow as pa

    embedding = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), 8)
    folder = tmp_path_factory.mktemp("versions")
    version = make_version(folder, tag("1.0.0"), rows=len(TEXTS), content=TEXTS, embedding=embedding)
    settings = module_database.settings
    with connected(settings.place) as connection:
        load(connection, settings, version, say=print)

        def asked(question, vector=VECTORS[0], top=10, version=None):
            return search(connection, settings, version, question, np.asarray(vector, np.float32), top)

        yield asked


def test_a_chunk_that_both_rankings_put_first_is_first(ask):
    hits = ask("Where does ArgoCD deploy?", VECTORS[2])
    assert hits[0].content == TEXTS[2]
    assert hits[0].score == pytest.approx(2 / (RANK_CONSTANT + 1), abs=1e-6)
    assert hits[0].cosine == 1
    assert hits[0].data_version == tag("1.0.0")
    assert (hits[0].document, hits[0].section) == ({"source_repo": "repo", "source_file": "README.md"}, ["Title"])


def test_one_word_of_many_is_enough(ask):
    hits = ask("please tell me everything about grafana and unicorns", VECTORS[0])
    assert {hits[0].content, hits[1].content} == {TEXTS[0], TEXTS[4]}


def test_words_are_found_in_any_form(ask):
    found = ask("deploying", VECTORS[5])
    assert TEXTS[2] in [hit.content for hit in found[:2]]


def test_a_phrase_in_quotation_marks_is_taken_as_one(ask):
    assert ask('"model registry"', VECTORS[5])[0].content == TEXTS[1]
    assert ask('"registry model"', VECTORS[5])[0].content == TEXTS[5]


@pytest.mark.parametrize("question", ["the of and", "???", "'", '"', '""', "a'b", "\\", "& | ! <->", "-", "%s %", "\0"])
def test_a_question_without_words_is_answered_by_meaning(ask, question):
    assert ask(question, VECTORS[3])[0].content == TEXTS[3]


def test_a_very_long_question_is_answered(ask):
    assert len(ask("how are models deployed? " * 5000 + "x" * 100_000)) == len(TEXTS)


@given(st.text(max_size=80), st.integers(0, len(TEXTS) - 1), st.integers(1, 10))
@examples(max_examples=30, deadline=None)
def test_whatever_is_asked_the_best_comes_first_and_nothing_twice(ask, question, nearest, top):
    hits = ask(question, VECTORS[nearest] + 0.01, top)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len({hit.id for hit in hits}) == len(hits) == min(top, len(TEXTS))
    assert all(0 < score <= round(2 / (RANK_CONSTANT + 1), 6) for score in scores)
    assert TEXTS[nearest] in [hit.content for hit in ask(question, VECTORS[nearest] + 0.01, 10)]


@given(st.lists(st.sampled_from(["model", "ray", "deploys", "S3", "alerts", "git", "nothing"]), max_size=4),
       st.permutations(range(len(TEXTS))))  # fmt: skip
@examples(max_examples=20, deadline=None)
def test_the_fusion_is_that_of_the_paper(ask, module_database, words, order):
    """Both rankings taken from the database one by one, fused here (Cormack, Clarke, Büttcher 2009)."""
    vector = np.zeros(8, np.float32)
    for place, index in enumerate(order):
        vector[index] = len(order) - place
    near = [TEXTS[index] for index in order]
    said = []
    if words:
        said = [
            content
            for (content,) in module_database.run(
                "SELECT content FROM readme_embeddings WHERE content_tsv @@ to_tsquery('english', '"
                + " | ".join(words)
                + "') ORDER BY ts_rank_cd(content_tsv, to_tsquery('english', '"
                + " | ".join(dict.fromkeys(words))
                + "')) DESC, id"
            )
        ]
    expected = {
        text: sum(1 / (60 + ranking.index(text) + 1) for ranking in (near, said) if text in ranking) for text in TEXTS
    }
    found = {hit.content: hit.score for hit in ask(" ".join(words), vector)}
    assert found == pytest.approx(expected, abs=2e-6)


def test_a_version_is_searched_by_name_while_another_serves(database, one, two):
    vector = np.ones(8, np.float32)
    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)
        load(connection, database.settings, two, say=print)
        for version, name in (("1.0.0", one.name), (one.name, one.name), (None, two.name), ("v1.1.0", two.name)):
            hits = search(connection, database.settings, version, "chunk", vector, 3)
            assert {hit.data_version for hit in hits} == {name}
        use(connection, database.settings, "1.0.0", say=print)
        assert search(connection, database.settings, None, "chunk", vector, 1)[0].data_version == one.name


def test_a_version_that_goes_while_a_question_is_embedded_is_not_missed(database, one, two, monkeypatch):
    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)

    class Encoder:
        def __init__(self, *_, **__):
            with connected(database.server) as connection:
                load(connection, replace(database.settings, keep=1), two, say=print)

        def encode(self, texts):
            return np.ones((len(texts), 8), np.float32)

    monkeypatch.setattr(current, "find_model", lambda *_: Model(**MODEL, folder=ROOT))
    monkeypatch.setattr(current, "Encoder", Encoder)
    params = read_yaml(ROOT / "config" / "datasets" / f"{DATASET}.yaml")["params"]
    hits = current.ask(Repository.open(ROOT), database.settings, params, "chunk", None, 3, print)
    assert {hit.data_version for hit in hits} == {two.name}


def test_a_version_that_takes_the_name_between_looking_and_holding_is_the_one_held(database, one, two, monkeypatch):
    look, newer = searching.our_tables, [two]

    def looked(*arguments):
        found = look(*arguments)
        while newer:
            with connected(database.server) as connection:
                load(connection, database.settings, newer.pop(), say=print)
        return found

    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)
        monkeypatch.setattr(searching, "our_tables", looked)
        with connection.transaction():
            assert locked_table(connection, database.settings, None).mark.version == two.name


def test_a_version_keeps_its_name_while_it_is_held(database, one, two, monkeypatch):
    for name, value in (("LOCK_MS", 50), ("PAUSE_S", 0.05), ("ATTEMPTS", 2)):
        monkeypatch.setattr(loading, name, value)
    with connected(database.server) as reader, connected(database.server) as loader:
        load(loader, database.settings, one, say=print)
        with reader.transaction():
            locked_table(reader, database.settings, None)
            with pytest.raises(RegistryError, match="keeps readme_embeddings busy"):
                load(loader, database.settings, two, say=print)


def test_what_is_not_loaded_is_named_with_what_to_do(database, one):
    with connected(database.server) as connection:
        with pytest.raises(RegistryError, match=r"no version .* is loaded\n.*registry vectors load --store server$"):
            locked_table(connection, database.settings, None)
        load(connection, database.settings, one, say=print)
        with pytest.raises(RegistryError, match=r"version 2.0.0 is not loaded\n.*vectors load 2.0.0 --store server$"):
            locked_table(connection, database.settings, "2.0.0")


def test_more_results_than_the_usual_candidates(database, tmp_path):
    version = make_version(tmp_path, tag("1.0.0"), rows=1500)
    with connected(database.server) as connection:
        load(connection, database.settings, version, say=print)
        connection.execute("SET enable_seqscan = off")
        assert len(search(connection, database.settings, None, "???", np.ones(8, np.float32), 600)) == 600


def test_only_who_may_read_is_needed_to_search(database, one, user):
    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)
    reader = user("reader")
    database.run(f"GRANT SELECT ON readme_embeddings TO {reader.server.user}")
    with connected(reader.server) as connection:
        assert search(connection, reader.settings, None, "chunk", np.ones(8, np.float32), 1)


def test_another_model_is_refused(database, one):
    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)
        with connection.transaction():
            mark = locked_table(connection, database.settings, None).mark
    model = {key: one.metadata["model"][key] for key in ("name", "sha256", "precision", "max_tokens")}
    check_model(mark, model, "notes")
    with pytest.raises(
        RegistryError,
        match=r"embedded by another model \(precision: float32, here int8\)\n.*config/datasets/notes.yaml",
    ):
        check_model(mark, model | {"precision": "int8"}, "notes")


def test_an_excerpt_is_one_line_around_the_words():
    text = "intro " * 200 + "here\nMinIO\tkeeps \x1b[31mthe data\x00 " + "outro " * 200
    excerpt = excerpt_of(text, ["MinIO", "data"])
    assert "MinIO keeps [31mthe data" in excerpt
    assert len(excerpt) <= EXCERPT + 2
    assert excerpt_of("short\n\ntext", []) == "short text"
    assert excerpt_of("x" * 1000, ["x"])
    assert excerpt_of("", ["x"]) == ""


@given(st.text(max_size=400), st.text(max_size=50))
def test_an_excerpt_can_always_be_printed(text, question):
    excerpt = excerpt_of(text, terms_of(question))
    assert excerpt.isprintable()
    assert len(excerpt) <= EXCERPT + 2


def test_terms_are_words_and_phrases():
    assert terms_of('How is "model  registry" used, or (not)?') == ["How", "is", "model  registry", "used", "or", "not"]
    assert terms_of(" ") == []


@pytest.mark.parametrize("changed", ["{}", "[1]", "5", '{"section_h1": 5}'])
def test_rows_that_somebody_has_changed_are_one_message(database, one, changed):
    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)
        database.run(f"UPDATE readme_embeddings SET metadata = '{changed}'")
        with pytest.raises(RegistryError, match="somebody has changed rows of opencloudhub-readmes-embeddings-v1.0.0"):
            search(connection, database.settings, None, "chunk", np.ones(8, np.float32), 1)
