"""READMEs from a mirror and the samples, the names of repositories, and ids of git blobs."""

import hashlib
import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_github import ORG, READMES, Api, build_raw, content_of
from registry.config.reading import SAMPLES, read_checksums
from registry.errors import RegistryError
from registry.sources import readmes as corpus
from registry.sources.limits import Patience
from registry.sources.readmes import Listing, blob_sha, check_names, listed_readmes, sample_readmes, write_corpus
from support import ROOT

DATASET = "opencloudhub-readmes"


def make_mirror(root, readmes):
    """Write READMEs as a mirror lays them out, with a SHA256SUMS that also lists other files."""
    lines = [f"{'0' * 64}  {DATASET}/history/docs/1.md", f"{'1' * 64}  other/HEAD/x/README.md"]
    for name, content in readmes.items():
        path = root / DATASET / "HEAD" / name / "README.md"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {path.relative_to(root).as_posix()}")
    (root / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    return root


def serve_folder(server, root):
    for path in root.rglob("*"):
        if path.is_file():
            server.serve(f"/mirror/{path.relative_to(root).as_posix()}", path.read_bytes())
    return f"{server.url}/mirror"


def gather(root, target, **options):
    write_corpus(
        target,
        Listing(root, DATASET, patience=Patience(retries=0)),
        mode="mirror",
        api="https://x.test",
        organisation=ORG,
        **options,
    )
    return target


@pytest.fixture(params=["folder", "url"])
def mirrored(request, http_server, tmp_path):
    """Return a function that makes a mirror of READMEs, lets `change` spoil it, and gives its folder or base URL."""

    def mirrored(readmes, change=lambda root: None):
        root = make_mirror(tmp_path / "mirror", readmes)
        change(root)
        return str(root) if request.param == "folder" else serve_folder(http_server, root)

    return mirrored


def test_a_mirror_gives_what_it_lists_for_this_dataset(mirrored, tmp_path):
    raw = gather(mirrored(READMES) + "/", tmp_path / "raw")
    assert all((raw / f"{name}.md").read_bytes() == content for name, content in READMES.items())
    assert len(list(raw.iterdir())) == len(READMES) + 2
    assert (
        json.loads((raw / "sources.json").read_text())["files"][1]["url"] == f"https://x.test/repos/{ORG}/docs/readme"
    )
    assert b"mirror/" not in b"".join(content_of(raw).values())


def test_what_is_excluded_is_read_nowhere(mirrored, tmp_path):
    root = mirrored(READMES, spoil)
    raw = gather(root, tmp_path / "raw", exclude=["DOCS", "listed-nowhere"])
    documents = json.loads((raw / "index.json").read_text())["documents"]
    assert [document["repository"] for document in documents] == [".github", "gitops", "zero"]
    assert not (raw / "docs.md").exists()


def spoil(root):
    (root / DATASET / "HEAD" / "docs" / "README.md").write_bytes(b"other")


def lose(root):
    (root / DATASET / "HEAD" / "docs" / "README.md").unlink()


def list_only(*lines):
    return lambda root: (root / "SHA256SUMS").write_text("\n".join(f"{'0' * 64}  {line}" for line in lines) + "\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (spoil, f"expected sha256 {hashlib.sha256(READMES['docs']).hexdigest()} (SHA256SUMS), found"),
        (lose, "docs.md: could not be fetched"),
        (lambda root: (root / "SHA256SUMS").unlink(), "SHA256SUMS: could not be fetched"),
        (lambda root: (root / "SHA256SUMS").write_text("hello\n"), "line 1 is not"),
        (lambda root: (root / "SHA256SUMS").write_bytes(b"\xff\n"), "not UTF-8"),
        (list_only("emotion/x"), f"lists no {DATASET}/HEAD/<repository>/README.md"),
        (list_only(f"{DATASET}/HEAD/../../etc/README.md"), "is not opencloudhub-readmes/HEAD/<repository>/README.md"),
        (list_only(f"{DATASET}/HEAD/../README.md"), "'..' is not the name of a repository"),
        (list_only(f"{DATASET}/HEAD/docs/other.md"), "is not opencloudhub-readmes/HEAD/<repository>/README.md"),
        (list_only(f"{DATASET}/HEAD//README.md"), "'' is not the name of a repository"),
        (list_only(f"{DATASET}/HEAD/a/README.md", f"{DATASET}/HEAD/A/README.md"), "A and a differ only in case"),
    ],
)
def test_a_bad_mirror_is_one_clear_error(mirrored, tmp_path, change, words):
    with pytest.raises(RegistryError, match=".") as caught:
        gather(mirrored(READMES, change), tmp_path / "raw")
    assert words in str(caught.value)
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize("change", [spoil, lose, list_only("emotion/x")])
def test_a_mirrors_password_is_not_shown(http_server, tmp_path, change, caplog):
    root = make_mirror(tmp_path / "mirror", READMES)
    change(root)
    with pytest.raises(RegistryError) as caught:
        gather(serve_folder(http_server, root).replace("//", "//me:secret@"), tmp_path / "raw")
    assert "secret" not in str(caught.value) + caplog.text


def test_a_readme_above_the_maximum_is_not_copied(mirrored, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "MAX_BYTES", 6)
    with pytest.raises(RegistryError, match="larger than max_bytes"):
        gather(mirrored(READMES), tmp_path / "raw")


def test_a_changed_sample_changes_the_params(tmp_path):
    folder = tmp_path / SAMPLES
    folder.mkdir(parents=True)
    dataset = {"name": DATASET, "source": "samples", "sources": {"github": {}}}
    make_mirror(folder, {"docs": b"old"})
    before = sample_readmes(dataset, tmp_path)
    shutil.rmtree(folder / DATASET)
    make_mirror(folder, {"docs": b"new"})
    assert before.keys() == sample_readmes(dataset, tmp_path).keys() == {"docs"}
    assert before != sample_readmes(dataset, tmp_path)
    assert sample_readmes(dataset | {"source": "upstream"}, tmp_path) == {}
    assert sample_readmes(dataset | {"sources": {"github": {"exclude": ["Docs"]}}}, tmp_path) == {}


def test_the_samples_a_mirror_and_an_api_of_the_same_bytes_give_the_same(http_server, tmp_path):
    samples = ROOT / SAMPLES
    names = listed_readmes(read_checksums(samples / "SHA256SUMS"), DATASET, where="")
    Api(http_server, {name: (samples / DATASET / "HEAD" / name / "README.md").read_bytes() for name in names})
    upstream = content_of(build_raw(http_server, tmp_path, "upstream"))
    for mode, root in {"samples": str(samples), "mirror": serve_folder(http_server, samples)}.items():
        source = Listing(root, DATASET, patience=Patience(retries=0))
        write_corpus(tmp_path / mode, source, mode=mode, api=http_server.url, organisation=ORG)
        found = content_of(tmp_path / mode)
        assert len(found) == 15
        assert found.pop("sources.json").decode() == upstream["sources.json"].decode().replace("upstream", mode)
        assert found == {file: content for file, content in upstream.items() if file != "sources.json"}


@given(st.lists(st.text(max_size=5) | st.from_regex(r"[A-Ca-c._-]{1,3}", fullmatch=True), max_size=6, unique=True))
def test_names_that_pass_are_files_of_their_own_in_one_folder(names):
    try:
        passed = check_names(names, where="x")
    except RegistryError:
        return
    assert passed == sorted(names)
    assert len({f"{name}.md".casefold() for name in names}) == len(names)
    for name in names:
        assert name.isascii()
        assert not set(name) & set("/\\\0\n ")
        assert name not in ("", ".", "..")


@given(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", fullmatch=True))
def test_every_name_that_github_allows_passes(name):
    assert check_names([name], where="x") == [name]


@given(st.binary(max_size=100))
def test_blob_ids_are_those_of_the_definition(content):
    header = b"blob " + str(len(content)).encode() + b"\0"
    assert blob_sha(content) == hashlib.sha1(header + content).hexdigest()


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(range(256))])
def test_blob_ids_are_those_of_git(content):
    found = subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True)
    assert blob_sha(content) == found.stdout.decode().strip()
