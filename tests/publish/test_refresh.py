"""`registry refresh`: a living source is asked again, and only what changed there makes a version."""

import hashlib
import json
import shutil

import pytest

from clone import Clone, under_git
from configured import EXAMPLES, add, only
from fake_github import Api
from registry.files import sha256_of
from support import ROOT

CONFIG = "config/datasets/opencloudhub-readmes.yaml"
NAME = "opencloudhub-readmes"
HEAD = ROOT / "data" / "samples" / NAME / "HEAD"


@pytest.fixture
def living(fresh, http_server) -> tuple[Clone, Api]:
    """A registry whose READMEs come from an API, and the API."""
    api = Api(http_server, {path.name: (path / "README.md").read_bytes() for path in sorted(HEAD.iterdir())})
    fresh.edit(CONFIG, "https://api.github.com", http_server.url)
    fresh.edit(CONFIG, "# A living source", "source: upstream\n# A living source")
    fresh.commit()
    return fresh, api


def test_only_a_source_that_changed_makes_a_version(living):
    clone, api = living
    printed = clone.registry("refresh", NAME)
    assert f"{NAME}: released as 1.0.0" in printed
    head = clone.head()

    api.answers.clear()
    printed = clone.registry("refresh", NAME)
    assert {status for _, status in api.answers} == {304}
    assert len(api.answers) > len(list(HEAD.iterdir()))
    assert "Nothing new to release" in printed
    assert f"{NAME}: the newest version is still 1.0.0" in printed
    assert (clone.head(), clone.tags()) == (head, [f"{NAME}-v1.0.0"])

    api.readme("docs", b"# Docs\nnow say something else\n")
    assert "Nothing to be done" in clone.snakemake("--cores", "2", "--", NAME.replace("-", "_"))
    outcome = clone.registry_json("refresh", NAME, "--cores", "2")
    assert outcome == {"dataset": NAME, "before": "1.0.0", "after": "1.1.0", "released": True}
    assert "MINOR: 1 row changed in all (docs)" in clone.git("tag", "--list", "--format=%(contents)", f"{NAME}-v1.1.0")
    assert clone.git("status", "--short") == ""

    api.readme("docs", b"# Docs\nonce more\n")
    assert clone.registry_json("refresh", NAME)["after"] == "1.2.0"

    api.json("docs/readme", {"message": "not what was asked for"})
    head = clone.head()
    printed = clone.registry("refresh", NAME, code=1)
    assert "GitHub's answer is wrong" in printed
    assert f"error: refreshing {NAME} failed" in printed
    assert (clone.head(), len(clone.tags())) == (head, 3)


def everything(clone: Clone) -> dict[str, tuple[int, int]]:
    """Return the size and time of change of every file of a checkout, but what is fetched only to be compared."""
    found = {path.relative_to(clone.folder).as_posix(): path for path in clone.folder.rglob("*") if path.is_file()}
    return {
        name: (path.stat().st_size, path.stat().st_mtime_ns)
        for name, path in found.items()
        if not name.startswith((".cache/refresh/", ".git/index"))
    }


def test_a_mirror_is_asked_again_and_nothing_is_lost_where_it_changed(fresh, tmp_path):
    name = "opencloudhub-readmes-rag-evaluation"
    source = tmp_path / "mirror" / name / "questions.csv"
    source.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "data/samples" / name / "questions.csv", source)
    fresh.edit(f"config/datasets/{name}.yaml", "source: samples", "source: mirror")
    fresh.edit("config/config.yaml", "mirror: null", f"mirror: {tmp_path}/mirror")
    fresh.commit()
    assert f"{name}: released as 1.0.0" in fresh.registry("refresh", name)

    printed = fresh.registry("refresh", name)
    assert printed == f"{name}: the newest version is still 1.0.0\n"

    raw = fresh.folder / "data" / name / "raw" / "questions.csv"
    before = raw.read_bytes()
    source.write_bytes(before.rstrip() + b'\nMore?,Yes,"[""more""]",general\n')
    state = everything(fresh)
    printed = fresh.registry("refresh", name, code=1)
    assert f"questions.csv: its sha256 was {sha256_of(raw)}, and is {sha256_of(source)}" in printed
    assert (
        f"{name} cannot be made of them:\nerror: {name}: the contract is broken:\n    all: category: one of" in printed
    )
    assert everything(fresh) == state
    assert raw.read_bytes() == before


def test_what_is_made_of_a_source_that_changed_follows_it(released, tmp_path):
    made_of_it = f"{NAME}-embeddings"
    mirror = tmp_path / "mirror"
    shutil.copytree(ROOT / "data/samples" / NAME, mirror / NAME)
    readme, sums = mirror / NAME / "HEAD/docs/README.md", mirror / "SHA256SUMS"
    readme.write_text(readme.read_text() + "\n## More\n\nAsk whoever was on duty in the night before.\n")
    readmes = sorted((mirror / NAME).glob("HEAD/*/README.md"))
    sums.write_text("".join(f"{sha256_of(path)}  {path.relative_to(mirror)}\n" for path in readmes))
    released.edit(CONFIG, "# A living source", "source: mirror\n# A living source")
    released.edit("config/config.yaml", "mirror: null", f"mirror: {mirror}")
    released.commit()

    after = released.registry_json("refresh", NAME)["after"]
    metadata = json.loads(released.git("show", f"HEAD:data/{made_of_it}/metadata.json"))
    assert metadata["source_data_version"] == f"{NAME}-v{after}"
    states = {row["dataset"]: row["state"] for row in released.registry_json("status")}
    assert (states[NAME], states[made_of_it]) == ("released", "released")
    assert "Nothing to be done" in released.snakemake("-n")


def refused(clone, name):
    printed = clone.registry("refresh", name, code=1)
    assert "Traceback" not in printed
    assert not (clone.folder / ".snakemake").exists()
    return printed


def test_what_cannot_change_by_itself_is_not_asked(fresh):
    printed = refused(fresh, "tabular")
    assert "tabular is generated from its params" in printed
    assert "change params in config/datasets/tabular.yaml" in printed
    assert "fashion-mnist is built from the committed samples" in refused(fresh, "fashion-mnist")
    printed = refused(fresh, NAME)
    assert f"{NAME} is built from the committed samples" in printed
    assert f"set source: upstream in {CONFIG}" in printed
    printed = refused(fresh, "nothing")
    assert "there is no dataset nothing" in printed
    fresh.write(f"data/{NAME}/pin.json", json.dumps({"version": "1.0.0", "tag": f"{NAME}-v1.0.0"}))
    printed = refused(fresh, NAME)
    assert f"{NAME} is pinned" in printed
    assert f"registry unpin {NAME} removes the pin" in printed


def test_a_file_that_grew_is_accepted_built_and_released_by_one_command(fresh, http_server):
    name, file = "opencloudhub-readmes-rag-evaluation", "questions.csv"
    config = f"config/datasets/{name}.yaml"
    before = (ROOT / "data" / "samples" / name / file).read_bytes()
    http_server.serve(f"/{file}", before)
    fresh.edit(config, "urls: []", f"urls: [{http_server.url}/{file}]")
    fresh.edit(config, "source: samples", "source: upstream")
    fresh.edit(config, "  unique: true", "  unique: true\n  quality: {drift: {lost_values: fail}, unique: warn}")
    fresh.commit()
    assert f"{name}: released as 1.0.0" in fresh.registry("refresh", name)
    described = (fresh.folder / config).read_text(encoding="utf-8")

    http_server.serve("/other.csv", before + b"More?,Yes,[],genai\n")
    fresh.edit(config, "urls: [", f"urls: [{http_server.url}/other.csv, ")
    assert f"{name}: the newest version is still 1.0.0" in fresh.registry("refresh", name)
    fresh.edit(config, f"{http_server.url}/other.csv, ", "")

    after = before.rstrip() + b'\nMore?,Yes,"[""more""]",genai\n'
    http_server.serve(f"/{file}", after)
    old, new = (hashlib.sha256(content).hexdigest() for content in (before, after))
    killed = fresh.folder / ".cache/refresh" / name / "build/data"
    killed.mkdir(parents=True)
    state = everything(fresh)
    http_server.requests.clear()
    found = fresh.registry_json("refresh", name, code=1)
    assert found | {"diff": None} == {
        "dataset": name,
        "sources": {file: [old, new]},
        "before": "1.0.0",
        "after": "1.1.0",
        "level": "MINOR",
        "reasons": ["1 row added to all"],
        "diff": None,
        "warnings": found["warnings"],
        "refused": None,
        "failure": None,
    }
    assert "all: question: not unique: found another value in each row" in found["warnings"]
    assert (found["diff"]["splits"]["all"]["before"], found["diff"]["splits"]["all"]["added"]) == (30, 1)
    assert everything(fresh) == state
    assert [path.name for path in killed.parents[2].iterdir()] == [f"{name}.lock"]
    assert len(http_server.requests) == 1

    http_server.serve(f"/{file}", before.replace(b",overview", b",genai"))
    printed = fresh.registry("refresh", name, code=1)
    assert "It would become 2.0.0 (MAJOR):" in printed
    assert (
        "Its release would be refused: it drifted from opencloudhub-readmes-rag-evaluation-v1.0.0: lost values of "
        "category (classes) in all: 'overview'" in printed
    )

    http_server.serve(f"/{file}", after)
    printed = fresh.registry("refresh", name, "--accept")
    assert len(http_server.requests) == 3
    assert f"{file}: {old} was what the data here is made of, {new} is accepted from now on" in printed
    assert f"{name}: released as 1.1.0" in printed
    assert fresh.git("show", f"HEAD:{config}").strip() == (fresh.folder / config).read_text(encoding="utf-8").strip()
    changed = [
        line for line in (fresh.folder / config).read_text(encoding="utf-8").splitlines() if line not in described
    ]
    assert all(new in line or "note" in line for line in changed)
    assert f"{name}: the newest version is still 1.1.0" in fresh.registry("refresh", name, "--accept")

    # As after a build that failed, and a publisher who took the change back.
    fresh.edit(config, new, old)
    assert f"{name}: the newest version is still 1.1.0" in fresh.registry("refresh", name, "--accept")
    assert new in (fresh.folder / config).read_text(encoding="utf-8")


def test_what_a_release_would_say_of_older_tests_is_said_before(bare, http_server):
    def lines(training, evaluation):
        rows = [("training", text) for text in training] + [("evaluation", text) for text in evaluation]
        said = [json.dumps({"part": part, "review": text, "label": 1}) for part, text in rows]
        return "".join(f"{line}\n" for line in said).encode()

    first, other, third = (
        "a quiet room with a view of the harbour",
        "the breakfast came late and cold again and nobody was sorry",
        "never again",
    )
    before, after = lines([first], [other, third]), lines([first, other.replace("late", "bad")], [third])
    config = EXAMPLES["reviews"].replace("https://example.org", http_server.url)
    config = config.replace("accept: []", f"accept: [{{sha256: {hashlib.sha256(before).hexdigest()}, note: first}}]")
    config = config.replace("  disjoint: true", "  quality: {leakage: {older: fail}}")
    add(only(bare), "reviews", f"source: upstream\n{config.replace('samples: {', 'upstream: {')}")
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    http_server.serve("/reviews.jsonl", before)
    assert "reviews: released as 1.0.0" in clone.registry("refresh", "reviews")
    http_server.serve("/reviews.jsonl", after)
    found = clone.registry_json("refresh", "reviews", code=1)
    assert (found["after"], found["warnings"]) == ("2.0.0", [])
    assert "found 1 in reviews-v1.0.0: 'reviews.jsonl:1' of train is, at a distance of 0." in found["refused"]
