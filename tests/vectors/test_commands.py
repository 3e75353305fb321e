"""`registry search` and `registry vectors` on the real embeddings, as people and programs use them."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from clone import Clone
from postgres import PASSWORD, make_version, open_folder, tag
from registry.vectors.database import connected
from registry.vectors.load import load
from registry.vectors.settings import DATASET

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def clone(released_once, tmp_path_factory) -> Clone:
    """A clone with the embeddings built and released as 1.0.0."""
    return released_once.copied(tmp_path_factory.mktemp("clone") / "registry")


@pytest.fixture(scope="module")
def embedded():
    """The environment of an embedded database that all tests here share, and that runs meanwhile."""
    from registry.vectors.embedded import start
    from registry.vectors.postgres import Postgres

    folder = open_folder()
    start(folder / "vectors")
    yield {"PGVECTOR_FOLDER": str(folder / "vectors")}
    Postgres.at(folder / "vectors" / "database").cleanup()
    shutil.rmtree(folder)


@pytest.fixture
def changed(clone, tmp_path) -> Clone:
    """A clone of its own, without the release of the embeddings."""
    copy = clone.copied(tmp_path / "registry")
    copy.git("tag", "--delete", tag("1.0.0"))
    return copy


@pytest.mark.parametrize(
    ("question", "repository"),
    [
        ("How does ArgoCD deploy to the cluster?", "gitops"),
        ("How do I start a self-hosted GitHub Actions runner?", "gh-actions-local-runner"),
        ("fine-tuning Qwen on radiology images", "ai-radiology-qwen"),
        ("Which Terraform modules are there?", "infra-modules"),
        ("wine classifier baseline with scikit-learn", "ai-ml-sklearn"),
        ("hybrid search with pgvector and keyword search", "demo-app-genai-backend"),
    ],
)
def test_a_question_finds_the_readme_that_answers_it(clone, embedded, question, repository):
    hits = clone.registry_json("search", question, "--top", "3", **embedded)
    assert repository in [hit["document"]["source_repo"] for hit in hits]
    assert len(hits) == 3
    assert set(hits[0]) == {
        "document", "section", "score", "cosine", "excerpt", "id", "data_version", "content"
    }  # fmt: skip
    assert {hit["data_version"] for hit in hits} == {tag("1.0.0")}


def test_people_see_repository_section_score_and_excerpt(clone, embedded):
    printed = clone.registry("search", "how is a model deployed? [bold]", "--top", "2", **embedded)
    assert tag("1.0.0") in printed
    first, second = [line for line in printed.splitlines() if line[:2] in ("1.", "2.")]
    assert re.search(r" › .*  score 0\.0\d\d\d, cosine 0\.\d\d  README\.md$", first)
    assert "README.md" in second
    assert "3." not in printed


def test_it_is_loaded_on_first_use_and_listed(clone, embedded):
    env = embedded | {"PGVECTOR_TABLE_NAME": "first_use"}
    assert "No version is loaded." in clone.registry("vectors", "list", **env)
    assert "loading" in clone.registry("search", "gitops", **env)
    assert "loading" not in clone.registry("search", "gitops", **env)
    row = r"^ *1\.0\.0 +serves +\d+ +all-MiniLM-L6-v2 +first_use +\d{4}-\d\d-\d\d \d\d:\d\d *$"
    assert re.search(row, clone.registry("vectors", "list", **env), re.MULTILINE)
    (listed,) = clone.registry_json("vectors", "list", **env)
    assert (listed["name"], listed["serves"], listed["mark"]["version"]) == ("first_use", True, tag("1.0.0"))
    assert "serves already" in clone.registry("vectors", "load", "1.0.0", **env)
    assert "serves already" in clone.registry("vectors", "use", "v1.0.0", **env)
    assert clone.registry_json("search", "gitops", "--version", "latest", "--top", "1", **env)[0]["score"] > 0


def test_what_is_not_released_is_searched_under_the_name_of_its_content(changed, embedded):
    env = embedded | {"PGVECTOR_TABLE_NAME": "unreleased"}
    content_hash = json.loads((changed.folder / "data" / DATASET / "metadata.json").read_text())["content_hash"]
    name = f"unreleased-{content_hash.removeprefix('sha256:')[:12]}"
    (hit,) = changed.registry_json("search", "gitops", "--top", "1", **env)
    assert hit["data_version"] == name
    printed = changed.registry("vectors", "load", "--released", code=3, **env)
    assert f"{name} is not loaded: it is not released" in printed
    changed.git("tag", "--annotate", tag("1.1.0"), "--message", f"Released\n\ncontent: {content_hash}")
    (hit,) = changed.registry_json("search", "gitops", "--top", "1", **env)
    assert hit["data_version"] == tag("1.1.0")


def test_a_choice_stays_until_the_current_version_is_loaded(changed, clone, embedded):
    env = embedded | {"PGVECTOR_TABLE_NAME": "choice"}
    clone.registry("vectors", "load", "1.0.0", **env)
    assert changed.registry_json("search", "gitops", "--top", "1", **env)[0]["data_version"] == tag("1.0.0")
    unreleased = changed.registry_json("vectors", "load", **env)
    assert unreleased["state"] == "loaded"
    assert changed.registry_json("search", "gitops", "--top", "1", **env)[0]["data_version"] == unreleased["version"]
    assert changed.registry_json("vectors", "use", "1.0.0", **env)["state"] == "switched"
    assert changed.registry_json("search", "gitops", "--top", "1", **env)[0]["data_version"] == tag("1.0.0")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("search", " "), 2, "the question is empty"),
        (("search", "caf\udce9"), 2, "not UTF-8"),
        (("search", "x", "--top", "0"), 2, "--top"),
        (("search", "x", "--store", "oracle"), 2, "choose embedded or server"),
        (("search", "x", "--version", "9.9.9"), 1, "has no version 9.9.9"),
        (("vectors", "load", "9.9.9"), 1, "has no version 9.9.9"),
        (("vectors", "use", "9.9.9"), 1, "version 9.9.9 is not loaded"),
        (("vectors", "load", "--store", "server"), 1, "the environment lacks PGVECTOR_HOST, PGVECTOR_DATABASE"),
        (("vectors",), 2, "load"),
    ],
)
def test_a_mistake_is_one_message_with_its_exit_code(clone, embedded, arguments, code, words):
    printed = clone.registry(*arguments, code=code, **embedded)
    assert words in " ".join(printed.split())
    assert "Traceback" not in printed


def test_data_that_is_damaged_or_not_there_is_not_loaded(changed, embedded):
    env = embedded | {"PGVECTOR_TABLE_NAME": "damaged"}
    file = changed.folder / "data" / DATASET / "processed" / "embeddings.parquet"
    file.chmod(0o644)
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1])
    for command in (("vectors", "load"), ("search", "gitops")):
        assert "is not what was built" in changed.registry(*command, code=1, **env)
    shutil.rmtree(changed.folder / "data" / DATASET)
    assert "nothing is built" in changed.registry("vectors", "load", code=1, **env)


def test_another_model_in_the_configuration_is_refused(changed, embedded):
    env = embedded | {"PGVECTOR_TABLE_NAME": "model"}
    changed.registry("vectors", "load", **env)
    changed.edit(f"config/datasets/{DATASET}.yaml", "precision: float32", "precision: int8")
    printed = changed.registry("search", "gitops", code=1, **env)
    assert "embedded by another model (precision: float32, here int8)" in printed


class TestServer:
    """The same with a server."""

    @pytest.fixture
    def env(self, database):
        return database.environment()

    def test_it_is_loaded_searched_and_listed(self, clone, database, env):
        server = ("--store", "server")
        assert "registry vectors load --store server" in clone.registry("search", "gitops", *server, code=1, **env)
        assert database.tables() == []
        assert "is loaded and serves: " in clone.registry("vectors", "load", *server, **env)
        assert clone.registry_json("search", "gitops", "--top", "1", *server, **env)[0]["data_version"] == tag("1.0.0")
        assert "registry vectors load 2.0.0 --store server" in clone.registry(
            "search", "gitops", "--version", "2.0.0", *server, code=1, **env
        )
        assert [one["serves"] for one in clone.registry_json("vectors", "list", *server, **env)] == [True]

    @pytest.mark.parametrize(
        "wrong", [{"PGVECTOR_PASSWORD": "Wrong-Pa55"}, {"PGVECTOR_USER": "nobody"}, {"PGVECTOR_DATABASE": "none"},
                  {"PGVECTOR_PORT": "1"}, {"PGVECTOR_HOST": "no.such.host.invalid"}]
    )  # fmt: skip
    def test_no_output_has_the_password(self, clone, env, wrong):
        for command in (("vectors", "load"), ("vectors", "list"), ("search", "gitops")):
            printed = clone.registry(*command, "--store", "server", code=1, **(env | wrong))
            assert "error: " in printed
            assert PASSWORD not in printed
            assert "Wrong-Pa55" not in printed

    def run_hook(self, clone, env, **config):
        """Do what the end of a run does, and return the exit code and what was printed."""
        config = {"publish": True, "vector_store": "server", "vector_versions": 2, "datasets": "all"} | config
        code = (
            "import sys; from pathlib import Path; from types import SimpleNamespace as N;"
            "from registry.config.load import load_datasets; from registry.storage.repository import read_config;"
            "from registry.workflow.hook import release_after_run;"
            "run = N(scheduler=N(running=[], open_jobs=[], failed=False), dag=N(needrun_jobs=list), touch=False,"
            " execution_settings=N(keep_going=False));"
            f"sys.exit(release_after_run(run, {config!r}, load_datasets(read_config(Path()))).left)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=clone.folder,
            env=clone.environment(**env),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert PASSWORD not in done.stdout
        return done.returncode, done.stdout

    def test_the_end_of_a_run_loads_what_is_released(self, clone, database, env):
        code, printed = self.run_hook(clone, env)
        assert (code, "is loaded and serves" in printed) == (0, True), printed
        assert [version for version, _ in database.serves()] == [tag("1.0.0")]
        code, printed = self.run_hook(clone, env)
        assert (code, "serves already" in printed) == (0, True), printed

    def test_the_end_of_a_run_leaves_what_was_chosen_to_serve(self, clone, database, env, tmp_path):
        self.run_hook(clone, env)
        older = make_version(tmp_path, tag("0.9.0"), dimension=384)
        with connected(database.server) as connection:
            load(connection, database.settings, older, say=print, serve=False)
        clone.registry("vectors", "use", "0.9.0", "--store", "server", **env)
        code, printed = self.run_hook(clone, env)
        assert (code, f"{tag('1.0.0')} is loaded, but another version was chosen and serves" in printed) == (0, True)
        assert "To change that: registry vectors load --store server" in printed
        assert [version for version, _ in database.serves()] == [tag("0.9.0")]
        assert "serves again" in clone.registry("vectors", "load", "--store", "server", **env)
        assert [version for version, _ in database.serves()] == [tag("1.0.0")]

    @pytest.mark.parametrize("config", [{"publish": False}, {"vector_store": "embedded"}, {"datasets": ["emotion"]}])
    def test_the_end_of_a_run_loads_nothing_where_it_is_not_asked_to(self, clone, database, env, config):
        code, printed = self.run_hook(clone, env, **config)
        assert (code, database.tables()) == (0, [])
        assert "readme" not in printed.replace("opencloudhub-readme", "")

    def test_a_load_that_fails_undoes_no_release_and_says_what_to_run(self, clone, env):
        before = clone.tags()
        code, printed = self.run_hook(clone, env | {"PGVECTOR_PASSWORD": "Wrong-Pa55"})
        assert code == 1
        assert "password authentication failed" in printed
        assert f"run: registry vectors load --released --dataset {DATASET} --store server --keep 2" in printed
        assert "Wrong-Pa55" not in printed
        assert clone.tags() == before


def test_as_root_no_private_folder_is_opened(changed):
    if os.geteuid() != 0:
        pytest.skip("only root could change the permissions")
    changed.folder.parent.chmod(0o700)
    printed = changed.registry("search", "gitops", code=1)
    assert "readable by all users" in printed
    assert "PGVECTOR_FOLDER" in printed
    assert not (changed.folder / ".vectors").exists()
