"""Sources in a real S3 server, and in one that speaks as the Hugging Face Hub does."""

import hashlib
import json
import logging
import select
from pathlib import Path

import pytest

from registry.authoring.drafts import Wishes
from registry.authoring.new import new
from registry.config.kinds import AS_IS
from registry.errors import RegistryError
from registry.kinds.files import Format
from registry.sources.fetch import fetch
from registry.sources.limits import Patience
from registry.sources.objects import Store
from registry.sources.retrieve import retrieve
from s3 import Identity, S3Server
from support import ROOT, reply

CONTENT = b"good bytes " * 1000
OBJECTS = {
    "chats/1.jsonl": CONTENT,
    "chats/2 ä.jsonl": b"two",
    "chats/old/3.jsonl": b"three",
    "chats/notes.txt": b"n",
    "chats/.hidden": b"h",
    "chats/": b"",
    "chats2/4.jsonl": b"four",
    "odd/a\tb": b"odd",
    "both/a": b"file",
    "both/a/b": b"in a folder",
}


def dribble(handler):
    """Announce more than is sent, a byte now and then, each in time."""
    reply(handler, b"", headers={"Content-Length": "1000"})
    try:
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            select.select([handler.rfile], [], [], 0.05)
    except OSError:
        handler.close_connection = True


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3"), buckets=("registry", "team")) as server:
        for key, content in OBJECTS.items():
            server.client().put_object(Bucket="team", Key=key, Body=content)
        yield server


@pytest.fixture
def become(server, monkeypatch):
    """Set the environment to an identity's, or to nobody's."""

    def become(identity=None, url=server.url):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (server.environment(identity) | {"AWS_ENDPOINT_URL": url}).items():
            monkeypatch.setenv(name, value)

    become(server.reader)
    return become


def bring(location, folder, *, check=lambda path: None, max_bytes=20_000, **options):
    retrieve([location], folder / "target", check, max_bytes=max_bytes, **options)
    return folder / "target"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_object_is_fetched_checked_and_recorded(become, tmp_path):
    url, sha256 = "s3://team/chats/1.jsonl", hashlib.sha256(CONTENT).hexdigest()
    source = {"file": "chats.jsonl", "urls": [url], "sha256": [sha256], "max_bytes": len(CONTENT)}
    where = {"target": tmp_path / "raw", "lock": tmp_path / "lock.yaml"}
    assert fetch("one", [source], mode="upstream", mirror=None, **where)["files"] == [
        {"file": "chats.jsonl", "url": url, "bytes": len(CONTENT), "sha256": sha256, "served_by": url}
    ]
    assert (tmp_path / "raw/chats.jsonl").read_bytes() == CONTENT
    with pytest.raises(RegistryError, match="expected sha256"):
        fetch("one", [source | {"sha256": ["0" * 64]}], mode="upstream", mirror=None, **where)
    assert names(tmp_path) == ["raw/chats.jsonl"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://team/chats", ["1.jsonl", "2 ä.jsonl", "notes.txt", "old/3.jsonl"]),
        ("s3://team/chats/", ["1.jsonl", "2 ä.jsonl", "notes.txt", "old/3.jsonl"]),
        ("s3://team/chats/*.jsonl", ["1.jsonl", "2 ä.jsonl"]),
        ("s3://team/chats/**/*.jsonl", ["1.jsonl", "2 ä.jsonl", "old/3.jsonl"]),
        ("s3://team/*/[34].jsonl", ["chats2/4.jsonl"]),
    ],
)
def test_a_folder_and_wildcards(become, tmp_path, url, found):
    folder = bring(url, tmp_path, max_files=10)
    assert names(folder) == found
    hidden: set[str] = set()
    Store(url).files(99, hidden)
    assert hidden == ({".hidden"} if url.rstrip("/").endswith("chats") else set())
    if "1.jsonl" in found:
        assert (folder / "1.jsonl").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://team/chats/3.jsonl", "nothing there has that name"),
        ("s3://team/chats", "a folder, not a file"),
        (
            "s3://nowhere/chats/1.jsonl",
            "forbidden: check AWS_ACCESS_KEY_ID",
        ),  # which buckets there are, it does not say
        ("gs://team/chats/1.jsonl", "gcsfs"),
    ],
)
def test_a_file_that_is_not_there(become, tmp_path, url, words):
    with pytest.raises(RegistryError, match=f"{url}: .*{words}"):
        bring(url, tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://team/nothing/", "there are no files|nothing there has that name"),
        ("s3://team/chats/*.csv", "there are no files"),
        ("s3://team/chats/1.jsonl", "a file, not a folder"),
        ("s3://team/odd/", "a.b: a name that cannot be taken"),
        ("s3://team/both/", "a: both a file and a folder"),
        ("s3://team/**.jsonl", "stands for whole folders"),
    ],
)
def test_a_folder_that_cannot_be_taken(become, tmp_path, url, words):
    with pytest.raises(RegistryError, match=words):
        bring(url, tmp_path, max_files=10)
    assert names(tmp_path) == []


def test_the_admin_hears_that_there_is_no_such_bucket(become, server, tmp_path):
    become(server.admin)
    with pytest.raises(RegistryError, match="s3://nowhere/a: no such bucket"):
        bring("s3://nowhere/a", tmp_path)


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (S3Server.reader._replace(secret="a-wrong-guess"), "forbidden: check AWS_ACCESS_KEY_ID"),
        (Identity("a-stranger", "a-secret-of-one"), "forbidden: check AWS_ACCESS_KEY_ID"),
        (None, "forbidden without credentials: set AWS_ACCESS_KEY_ID"),
    ],
    ids=["wrong", "unknown", "none"],
)
@pytest.mark.parametrize("options", [{}, {"max_files": 10}], ids=["file", "folder"])
def test_credentials_that_do_not_open_it_are_named_and_not_shown(become, tmp_path, caplog, identity, words, options):
    caplog.set_level(logging.DEBUG, logger="registry")
    become(identity)
    with pytest.raises(RegistryError, match=words) as raised:
        bring("s3://team/chats/1.jsonl", tmp_path, **options)
    if identity:
        assert identity.secret not in str(raised.value) + caplog.text


def test_a_server_that_is_away(become, server, tmp_path):
    become(server.reader, url="http://127.0.0.1:1")
    with pytest.raises(RegistryError, match="no connection"):
        bring("s3://team/chats/1.jsonl", tmp_path)


def test_a_profile_that_there_is_none_of(become, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RegistryError, match="s3://team/chats/1.jsonl: ProfileNotFound"):
        bring("s3://team/chats/1.jsonl", tmp_path)


def test_more_than_may_be(become, tmp_path):
    with pytest.raises(RegistryError, match=r"larger than max_bytes \(100\)"):
        bring("s3://team/chats/1.jsonl", tmp_path, max_bytes=100)
    with pytest.raises(RegistryError, match=r"larger than max_bytes \(11,000\)"):
        bring("s3://team/chats/", tmp_path, max_bytes=len(CONTENT), max_files=10)
    with pytest.raises(RegistryError, match=r"more than max_files \(3\)"):
        bring("s3://team/chats/", tmp_path, max_files=3)
    assert names(tmp_path) == []


def test_the_mirror_may_be_a_bucket(become, tmp_path):
    source = {"file": "1.jsonl", "urls": [], "sha256": [hashlib.sha256(CONTENT).hexdigest()], "max_bytes": 20_000}
    where = {"target": tmp_path / "raw", "lock": tmp_path / "lock.yaml"}
    fetch("chats", [source], mode="mirror", mirror="s3://team/", **where)
    assert (tmp_path / "raw/1.jsonl").read_bytes() == CONTENT


class TestHub:
    """hf://datasets/owner/name@revision/path."""

    @pytest.fixture
    def hub(self, http_server, monkeypatch):
        monkeypatch.setenv("HF_ENDPOINT", http_server.url)
        files = {"data/a b.csv": b"a,b\n1,2\n", "data/sub/c.csv": b"c\n"}
        tree = [{"type": "file", "path": name, "size": len(files[name]), "oid": "1" * 40} for name in files]
        tree.append({"type": "directory", "path": "data/sub", "size": 0, "oid": "2" * 40})
        answers = {
            "/api/datasets/o/n": {"_id": "1", "id": "o/n", "sha": "a" * 40, "siblings": [], "tags": []},
            "/api/datasets/o/n/tree/main": [{"type": "directory", "path": "data", "size": 0, "oid": "3" * 40}],
            "/api/datasets/o/n/tree/main/data": tree,
        }
        for revision in "main", "v1":
            answers[f"/api/datasets/o/n/revision/{revision}"] = answers["/api/datasets/o/n"]
            for folder in "", "/data":
                answers[f"/api/datasets/o/n/tree/{revision}{folder}"] = answers[f"/api/datasets/o/n/tree/main{folder}"]
            for name, content in files.items():
                http_server.serve(f"/datasets/o/n/resolve/{revision}/{name.replace(' ', '%20')}", content)
        for path, answer in answers.items():
            http_server.serve(path, json.dumps(answer).encode(), headers={"Content-Type": "application/json"})
        return http_server

    @pytest.mark.parametrize("revision", ["", "@main", "@v1"])
    def test_a_file(self, hub, tmp_path, revision):
        assert bring(f"hf://datasets/o/n{revision}/data/a b.csv", tmp_path).read_bytes() == b"a,b\n1,2\n"

    @pytest.mark.parametrize("revision", ["", "@main", "@v1"])
    def test_a_folder_and_wildcards(self, hub, tmp_path, revision):
        assert names(bring(f"hf://datasets/o/n{revision}/data", tmp_path, max_files=2)) == ["a b.csv", "sub/c.csv"]
        assert names(bring(f"hf://datasets/o/n{revision}/data/*.csv", tmp_path, max_files=2)) == ["a b.csv"]

    def test_the_token_is_taken_from_the_environment_and_not_shown(self, hub, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_the-token-of-somebody")
        hub.routes["/datasets/o/n/resolve/v1/data/a%20b.csv"] = lambda handler: reply(handler, b"", status=403)
        with pytest.raises(RegistryError, match="forbidden: check HF_TOKEN") as raised:
            bring("hf://datasets/o/n@v1/data/a b.csv", tmp_path)
        assert "the-token" not in str(raised.value)
        assert {headers.get("authorization") for path, headers in hub.requests if "/datasets/o" in path} == {
            "Bearer hf_the-token-of-somebody"
        }

    def test_what_is_not_there(self, hub, tmp_path):
        def missing(code):
            return lambda handler: reply(handler, b"", status=404, headers={"X-Error-Code": code})

        hub.routes["/api/datasets/o/other"] = missing("RepoNotFound")
        hub.routes["/api/datasets/o/n/revision/v9"] = missing("RevisionNotFound")
        for url, words in {
            "hf://datasets/o/other/a.csv": "no such dataset or revision",
            "hf://datasets/o/n@v9/a.csv": "no such dataset or revision",
            "hf://datasets/o/n/data/d.csv": "nothing there has that name",
        }.items():
            with pytest.raises(RegistryError, match=f"{url}: {words}"):
                bring(url, tmp_path)

    def test_a_folder_of_which_a_file_never_ends_is_not_waited_for(self, hub, tmp_path):
        hub.routes["/datasets/o/n/resolve/main/data/sub/c.csv"] = dribble
        with pytest.raises(RegistryError, match="not done within"):
            bring("hf://datasets/o/n/data", tmp_path, max_files=2, patience=Patience(seconds=2))
        assert not Path(tmp_path / "target").exists()

    def test_a_file_that_breaks_off(self, hub, tmp_path):
        hub.serve("/datasets/o/n/resolve/main/data/a%20b.csv", b"a,b", headers={"Content-Length": "8"})
        with pytest.raises(RegistryError, match="not done within|broke off"):
            bring("hf://datasets/o/n/data/a b.csv", tmp_path, patience=Patience(seconds=2))
        assert not Path(tmp_path / "target").exists()


def test_a_folder_is_listed_page_by_page_and_no_further_than_it_may_go(become, server, caplog):
    for name in (".a", ".b", ".c", ".d", "1", "2", "3", "4", "5", "6", "7", "8", "9"):
        server.client().put_object(Bucket="team", Key=f"many/{name}", Body=b"")

    def pages(max_files):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="s3fs"):
            try:
                return len(Store("s3://team/many/").files(max_files)), caplog.text.count("list_objects_v2")
            except RegistryError as error:
                return str(error), caplog.text.count("list_objects_v2")

    assert pages(9) == (9, 2)
    assert pages(2) == ("more than max_files (2)", 3)  # .a .b .c, .d 1 2, 3
    assert pages(100) == (9, 1)


def test_a_store_asks_again_each_time(become, server):
    server.client().put_object(Bucket="team", Key="grows/1", Body=b"")
    assert [member.name for member in Store("s3://team/grows/").files(9)] == ["1"]
    server.client().put_object(Bucket="team", Key="grows/2", Body=b"")
    assert [member.name for member in Store("s3://team/grows/").files(9)] == ["1", "2"]


@pytest.mark.parametrize(("source", "files"), [("s3://team/chats/", 4), ("s3://team/chats/*.jsonl", 2)])
def test_a_folder_is_added_to_be_kept_as_it_is(become, tmp_path, source, files):
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_bytes((ROOT / "config" / "config.yaml").read_bytes())
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    with new(tmp_path, "chats", [source], Format(), Wishes(kind=AS_IS)) as made:
        [entry] = made.content["sources"]["files"]
        assert (entry["folder"], entry["urls"]) == ("chats", [source])
        assert made.facts.rows == {"all": files}
