"""Upstream, played by a real server on loopback: addresses in turn, the lock of first downloads, the GitHub API."""

import hashlib
import uuid

import pytest
import yaml

from fake_github import Api
from project import copy_repository
from support import ROOT

SAMPLES = ROOT / "data" / "samples"
RED = (SAMPLES / "wine-quality" / "winequality-red.csv").read_bytes()
WHITE = (SAMPLES / "wine-quality" / "winequality-white.csv").read_bytes()


@pytest.fixture
def wines(bare, http_server):
    """A repository whose wines come from the server, under hashes that nobody knows yet."""
    path = bare.folder / "config" / "datasets" / "wine-quality.yaml"
    dataset = yaml.safe_load(path.read_text(encoding="utf-8"))
    for source in dataset["sources"]["files"]:
        source["urls"] = [f"{http_server.url}/{place}/{source['file']}?token=secret" for place in ("gone", "here")]
        source["accept"] = []
    dataset["contract"]["rows"] = {}
    path.write_text(yaml.safe_dump(dataset, sort_keys=False), encoding="utf-8")
    http_server.serve("/here/winequality-red.csv", RED)
    http_server.serve("/here/winequality-white.csv", WHITE)
    return bare


def build(project, *targets, **options):
    return project.snakemake("--cores", "2", "--config", "source=upstream", "--", *targets, **options)


def test_the_first_download_is_locked_and_the_second_held_to_it(wines, http_server):
    build(wines, "wine_quality")
    lock = wines.folder / "config" / "locks" / "wine-quality.yaml"
    locked = {
        "upstream": {
            "winequality-red.csv": hashlib.sha256(RED).hexdigest(),
            "winequality-white.csv": hashlib.sha256(WHITE).hexdigest(),
        }
    }
    assert yaml.safe_load(lock.read_text(encoding="utf-8")) == locked

    http_server.serve("/here/winequality-red.csv", RED.replace(b"7.4", b"7.5", 1))
    printed = wines.snakemake(
        "--cores", "2", "--forcerun", "wine_quality_download", "--config", "source=upstream", "--", "wine_quality",
        fails=True,
    )  # fmt: skip
    assert f"{locked['upstream']['winequality-red.csv']} (locked in config/locks/wine-quality.yaml), found " in printed
    assert "secret" not in printed
    assert yaml.safe_load(lock.read_text(encoding="utf-8")) == locked

    http_server.serve("/here/winequality-red.csv", RED)
    build(wines, "wine_quality")
    assert wines.complete("wine-quality")


def test_nobody_who_built_from_upstream_sees_anything_to_do(wines):
    build(wines, "wine_quality")
    assert "Nothing to be done" in build(wines, "wine_quality")


def test_a_corpus_from_the_api_is_the_corpus_from_samples(bare, http_server, built_once, monkeypatch):
    token = f"ghp_{uuid.uuid4().hex}"
    monkeypatch.setenv("GITHUB_TOKEN", token)
    head = SAMPLES / "opencloudhub-readmes" / "HEAD"
    api = Api(http_server, {path.name: (path / "README.md").read_bytes() for path in sorted(head.iterdir())})
    bare.edit("config/datasets/opencloudhub-readmes.yaml", "https://api.github.com", http_server.url)
    printed = build(bare, "opencloudhub_readmes")

    expected, found = built_once.products(), bare.products()
    names = [name for name in expected if "/opencloudhub-readmes/" in name]
    differing = {name.rpartition("/")[2] for name in names if found.get(name) != expected[name]}
    assert differing == {"provenance.json", "sources.json"}

    again = copy_repository(bare.folder.parent / "again")
    (bare.folder / ".cache").rename(again.folder / ".cache")
    again.edit("config/datasets/opencloudhub-readmes.yaml", "https://api.github.com", http_server.url)
    api.answers.clear()
    build(again, "opencloudhub_readmes")
    assert {status for _, status in api.answers} == {304}

    kept = [path.read_bytes() for top in (bare, again) for path in top.folder.rglob("*") if path.is_file()]
    assert not any(token.encode() in content for content in [*kept, printed.encode()])


def test_one_readme_that_cannot_be_had_leaves_no_corpus(bare, http_server):
    api = Api(http_server, {"docs": b"# Docs\n", "gitops": b"# GitOps\n"})
    api.json("gitops/readme", {"message": "not what was asked for"})
    bare.edit("config/datasets/opencloudhub-readmes.yaml", "https://api.github.com", http_server.url)
    printed = build(bare, "opencloudhub_readmes", fails=True)
    assert "GitHub's answer is wrong" in printed
    assert "Traceback" not in printed
    assert not (bare.folder / "data" / "opencloudhub-readmes" / "raw" / "docs.md").exists()
