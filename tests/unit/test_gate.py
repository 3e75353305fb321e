"""The gate: what somebody else wrote passes whole, or is one message."""

import json
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from registry.describe.metadata import metadata_digest
from registry.errors import RegistryError
from registry.gate import (
    MAX_DEPTH,
    MAX_DESCRIPTION,
    MAX_POINTER,
    GateError,
    checked_inside,
    checked_md5,
    checked_path,
    read_json,
    read_listing,
    read_pointer,
    read_yaml,
)
from registry.storage.snapshot import NoReleaseError, Snapshot

MD5 = "0123456789abcdef0123456789abcdef"
POINTER = f"outs:\n- md5: {MD5}.dir\n  size: 3\n  nfiles: 1\n  hash: md5\n  path: processed\n".encode()
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
CONTENT = f"sha256:{'a' * 64}"


@pytest.mark.parametrize("md5", [MD5, f"{MD5}.dir"])
def test_an_md5_is_32_digits_and_dir(md5):
    assert checked_md5(md5, where="here") == md5


@pytest.mark.parametrize(
    "md5",
    ["", "../../../../victim/id_rsa", MD5.upper(), MD5[:-1], f"{MD5}0", f"{MD5}.dirdir", f"{MD5}\n", f" {MD5}", None, 7,
     [MD5], f"{MD5}.dir.dir", "0" * 31 + "/", "٠" * 32],
)  # fmt: skip
def test_what_is_no_md5(md5):
    with pytest.raises(GateError, match="here: .* is not an md5"):
        checked_md5(md5, where="here")


@pytest.mark.parametrize("path", ["a", "a/b.c", ".a", "..a/b..", "a b/ü", "a\\b", "a/.b/c"])
def test_a_path_below_a_folder(path):
    assert checked_path(path, where="here") == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/.", "a\0b", "\ud800", None, 7, ["a"]],
)
def test_what_leads_elsewhere(path):
    with pytest.raises(GateError, match="is not a path below a folder"):
        checked_path(path, where="here")


@given(st.text())
@example("a/../..")
def test_no_path_that_passes_leaves_its_folder(path):
    try:
        passed = checked_path(path, where="here")
    except GateError:
        return
    assert os.path.normpath(f"/top/{passed}") == f"/top/{passed}"


@pytest.mark.parametrize(
    "path",
    [".git", ".git/config", "a/.GIT/b", ".gIt", "git~1", "a/GIT~1", ".git.", ".git /x", ".git . ./x", ".git::$INDEX/x",
     "a\\.git", ".g\u200cit/x", "\ufeff.git"],
)  # fmt: skip
def test_what_leads_into_git(path):
    with pytest.raises(GateError, match="git's own folder"):
        checked_path(path, where="here")


@pytest.mark.parametrize("path", [".gitignore", ".github/x", "a.git", "git", "git~2", "x.git/config", ".git-x"])
def test_what_has_git_in_its_name(path):
    assert checked_path(path, where="here") == path


@pytest.mark.parametrize("path", ["a" * 201, "b/" + "ü" * 101, "/".join(["a" * 150] * 7)])
def test_what_is_too_long_for_a_file_system(path):
    with pytest.raises(GateError, match="too long for a path"):
        checked_path(path, where="here")


@pytest.mark.parametrize("target", ["..", "data", ".git"])
def test_a_link_on_the_way_is_seen(tmp_path, target):
    (tmp_path / "top" / "data").mkdir(parents=True)
    (tmp_path / "top" / ".git").mkdir()
    (tmp_path / "top" / "reports").symlink_to(target)
    with pytest.raises(GateError, match="leads elsewhere\n  what to do: remove the link reports"):
        checked_inside(tmp_path / "top", "reports/a/b")
    # It is replaced itself.
    assert checked_inside(tmp_path / "top", "reports") == tmp_path / "top/reports"
    assert checked_inside(tmp_path / "top", "data/a/b") == tmp_path / "top/data/a/b"


def test_a_checkout_may_be_reached_by_a_link(tmp_path):
    (tmp_path / "top" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to("top")
    assert checked_inside(tmp_path / "link", "data/a") == tmp_path / "link/data/a"


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", "1e999", '"\\ud800"', "[" * 100_000, "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
     "1" * 5000, "\x00", '{"a":' * 100_000, "1" * 20, "[-" + "1" * 20 + "]", '{"a": 1' + "0" * 400 + "}"],
)  # fmt: skip
def test_what_is_not_json_for_us(text):
    with pytest.raises(GateError, match="^here: "):
        read_json(text.encode(errors="surrogatepass"), where="here")


@pytest.mark.parametrize(
    "text",
    ["a: &x [1]\nb: *x", "[" * 1000, "- " * 1000, "!!python/object:os.system x", "a: 2024-13-45", "? [a]\n: 1", "\x00",
     "a: b: c", "a: .nan", " " * (MAX_POINTER + 1), "a: " + "9" * 20, "a: " + "9" * 5000, "a: 1\na: 2", "a: !!bool x",
     "a: !x 1", "a: !!binary aGVq", "<<: {a: 1}", "a: =", "a: 1:30.5", BOMB, "[" * 50_000 + "]" * 50_000],
)  # fmt: skip
def test_what_is_not_yaml_for_us(text):
    with pytest.raises(GateError, match="^here: "):
        read_yaml(text.encode(), where="here")


@pytest.mark.parametrize("value", [[0] * 200_000, {str(number): [0] for number in range(70_000)}])
def test_more_values_than_a_schema_is_checked_against(value):
    with pytest.raises(GateError, match="more than 200,000 values"):
        read_json(json.dumps([value]).encode(), where="here")


def test_numbers_of_64_bits():
    assert read_json(b"[9223372036854775807, -9223372036854775808, true]", where="here")[0] == 2**63 - 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: : c", "line 2, column 4"),
        ("a: 1\na: 2", "'a' is there twice as a key, line 2, column 1"),
        ("a: &x 1\nb: *x", "line 2, column 4"),
    ],
)
def test_what_is_not_yaml_is_named_with_its_place(text, place):
    with pytest.raises(GateError, match=place):
        read_yaml(text.encode(), where="here")


@pytest.mark.parametrize("key", ["No", "on", "1", "1.10", "null", "~", "2026-01-31", "0x1", "[a]", "=", "12:30"])
def test_a_key_that_is_no_text_is_to_be_quoted(key):
    with pytest.raises(GateError, match="is no text as a key: quote it, line 2, column 3$"):
        read_yaml(f"a:\n  {key}: 1".encode(), where="here")
    assert read_yaml(f"a:\n  '{key}': 1".encode(), where="here") == {"a": {key: 1}}


@pytest.mark.parametrize(
    ("value", "words"), [("2026-01-31", "is a date"), ("12:30", "is no decimal"), ("010", "is no decimal")]
)
def test_a_value_that_yaml_takes_for_another_is_to_be_quoted(value, words):
    with pytest.raises(GateError, match=f"{value}' {words}.* quote it, line 1, column 4"):
        read_yaml(f"a: {value}".encode(), where="here")


def test_numbers_are_read_as_they_look():
    assert read_yaml(b"[0, -1, 1_000, 0x1F, 0.5, 1.0e+3]", where="here") == [0, -1, 1000, 31, 0.5, 1000.0]


def test_bytes_that_are_no_text():
    for read in (read_json, read_yaml, read_listing):
        with pytest.raises(GateError):
            read(b"\xff\xfe", where="here")


def test_a_pointer_names_the_md5_of_what_lies_beside_it():
    assert read_pointer(POINTER, "processed", where="here") == f"{MD5}.dir"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("path: processed", "path: ../processed"),
        ("path: processed", "path: other"),
        (f"{MD5}.dir", "../../victim"),
        (f"md5: {MD5}.dir", "etag: 1"),
        ("outs:", "wdir: ..\nouts:"),
        ("outs:", "deps:\n- path: x\nouts:"),
        ("hash: md5", "hash: sha256"),
        ("  path", "  files: []\n  path"),
        ("outs:\n", "outs:\n- path: second\n"),
        ("outs:\n- ", "outs:\n  a:\n    "),
        ("outs:", "ouch:"),
    ],
)
def test_a_pointer_to_anything_else(old, new):
    content = POINTER.decode().replace(old, new)
    assert content != POINTER.decode()
    with pytest.raises(GateError):
        read_pointer(content.encode(), "processed", where="here")


def entry(path: object, md5: object = MD5) -> dict[str, object]:
    return {"relpath": path, "md5": md5}


def test_the_list_of_a_folder():
    listing = [entry("train/a.jpg"), entry("b")]
    assert read_listing(json.dumps(listing).encode(), where="here") == {"train/a.jpg": MD5, "b": MD5}
    assert read_listing(b"[]", where="here") == {}


@pytest.mark.parametrize(
    "listing",
    [{}, None, 7, "text", [7], [[]], [{}], [entry("../../.. /x")], [entry("../x")], [entry("/x")], [entry("x", "../x")],
     [entry("x", f"{MD5}.dir")], [entry("x"), entry("x")], [entry("x"), entry("x/y")], [entry("x/y/z"), entry("x")],
     [entry(None)], [entry("x", None)]],
)  # fmt: skip
def test_a_list_that_cannot_be_one(listing):
    with pytest.raises(GateError):
        read_listing(json.dumps(listing).encode(), where="here")


def test_a_message_steers_no_terminal():
    with pytest.raises(RegistryError) as caught:
        checked_path("../\x1b[2J\u202e", where="tag \x1b]0;x\x07")
    assert not {"\x1b", "\x07", "\u202e"} & set(str(caught.value))


def files(about: dict[str, object] | None = None, **changes: object) -> dict[str, bytes]:
    """What git has of a small version; `about` are keys of metadata.json, `changes` those of provenance.json."""
    metadata = {
        "dataset": {"name": "small"},
        "schema": {"features": {"x": {"dtype": "int64"}}},
        "splits": {"all": {"num_samples": 3}},
        "metrics": {"pixel_mean": 0.25},
        "content_hash": CONTENT,
    } | (about or {})
    provenance = {
        "source": {"mode": "generated", "files": []},
        "config": {},
        "code": {"small/process.py": "0"},
        "libraries": {},
        "content_hash": CONTENT,
        "data": {"path": "processed", "files": 1, "bytes": 3, "md5": f"{MD5}.dir"},
        "manifest": {"md5": MD5},
        "metadata": {"sha256": metadata_digest(metadata)},
        "contract": {"passed": True},
    } | changes
    return {
        "data/small/metadata.json": json.dumps(metadata).encode(),
        "data/small/provenance.json": json.dumps(provenance).encode(),
        "data/small/processed.dvc": POINTER,
        "data/small/manifest.parquet.dvc": f"outs:\n- md5: {MD5}\n  path: manifest.parquet\n".encode(),
    }


def read(contents: dict[str, bytes]) -> Snapshot:
    return Snapshot.of("small", "small-v1.0.0", contents)


def test_a_version_whose_parts_agree():
    snapshot = read(files())
    assert snapshot.outs == {"data/small/processed": f"{MD5}.dir", "data/small/manifest.parquet": MD5}
    assert (snapshot.rows, snapshot.content_hash, snapshot.data) == (3, CONTENT, "data/small/processed")


@pytest.mark.parametrize("name", ["..dvc", "...dvc", ".dvc", ".git.dvc"])
def test_a_version_with_a_pointer_to_its_own_folder_or_above(name):
    with pytest.raises(GateError, match="is not a path below a folder|git's own folder"):
        read(files() | {f"data/small/{name}": b"outs: []\n"})


@pytest.mark.parametrize("file", ["metadata.json", "provenance.json", "manifest.parquet.dvc"])
def test_a_version_that_lacks_a_part_is_no_release(file):
    contents = files()
    del contents[f"data/small/{file}"]
    with pytest.raises(NoReleaseError, match=f"it lacks data/small/{file}"):
        read(contents)


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("processed.dvc", MD5, MD5[::-1], "data"),
        ("manifest.parquet.dvc", MD5, MD5[::-1], "manifest"),
        ("metadata.json", "a" * 64, "b" * 64, "content"),
        ("metadata.json", "0.25", "0.75", "metadata"),
        ("provenance.json", "a" * 64, "b" * 64, "content"),
        ("provenance.json", f"{MD5}.dir", f"{MD5[::-1]}.dir", "data"),
    ],
)
def test_parts_that_disagree(file, old, new, what):
    contents = files()
    name = f"data/small/{file}"
    contents[name] = contents[name].replace(old.encode(), new.encode())
    with pytest.raises(GateError, match=f"small-v1.0.0: its parts disagree: .* records the {what}"):
        read(contents)


def test_a_version_without_its_data():
    contents = files()
    del contents["data/small/processed.dvc"]
    with pytest.raises(GateError, match=r"processed\.dvc has nothing"):
        read(contents)


@pytest.mark.parametrize(
    "path",
    ["..", ".", "../x", "/etc", "a/b", "raw", "pin.json", "manifest.parquet", ".git", "", "a\nb", "processed\n", "RAW",
     "raw.dvc", "metadata.json.dvc", "a" * 201],
)  # fmt: skip
def test_data_may_not_be_anywhere(path):
    with pytest.raises(GateError, match=f"data/small: not what a release writes|its data cannot be called {path}$"):
        read(files(data={"path": path, "files": 1, "bytes": 3, "md5": f"{MD5}.dir"}))


@pytest.mark.parametrize(
    "script",
    ["../../../etc/passwd", "/etc/x.py", "small/../x.py", "small/x", "small/.py.yaml", "x.py\n", f"{'a' * 300}.py"],
)
def test_code_may_not_be_anywhere(script):
    with pytest.raises(GateError):
        read(files(code={script: "0"}))


@pytest.mark.parametrize(
    "about",
    [
        {"schema": {"features": {}}},
        {"schema": {"features": {str(number): {"dtype": "int64"} for number in range(10_001)}}},
        {"splits": {}},
        {"splits": {"all": {"num_samples": 2**63}}},
        {"splits": {"all": {"num_samples": -1}}},
        {"dataset": {}},
        {"metrics": {"x": 10**4000}},
    ],
)
def test_metadata_that_no_release_writes(about):
    with pytest.raises(GateError):
        read(files(about))


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"sources": 7}},
        {"config": {"sources": {"datasets": 7}}},
        {"config": {"sources": {"datasets": [7]}}},
        {"data": {"path": "processed", "files": 1, "bytes": 2**63, "md5": f"{MD5}.dir"}},
        {"content_hash": f"{CONTENT}\n"},
        {"run": "4711"},
        {"run": {"id": 4711}},
        {"run": {"id": "4711\n"}},
        {"run": {"id": "\x1b[2J"}},
        {"run": {"id": "x" * 1001}},
        {"run": {str(number): "" for number in range(21)}},
    ],
)
def test_provenance_that_no_release_writes(changes):
    with pytest.raises(GateError):
        read(files(**changes))


def test_provenance_may_name_the_run_with_more_facts_than_are_known_today():
    run = {"id": "4711", "actor": "Ada Løvelace", "cluster": "blue"}
    assert read(files(run=run)).provenance["run"] == run


@pytest.mark.parametrize("changes", [{"about": {"dataset": {"name": "other"}}}, {"config": {"name": "other"}}])
def test_a_version_of_another_dataset(changes):
    with pytest.raises(GateError, match="small-v1.0.0: data/small: it is a version of .*other"):
        read(files(**changes))


class Contents:
    """Stands for git, which has these files."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents

    def listed(self, revision: str, folder: str) -> list[str]:
        return [path for path in self.contents if path.startswith(f"{folder}/")]

    def read(self, revision: str, paths: list[str], *, max_bytes: int) -> dict[str, bytes]:
        return {path: self.contents[path] for path in paths}


@pytest.mark.parametrize(
    ("reports", "reason"),
    [
        ({f"reports/small/{number}": b"" for number in range(1000)}, "files, more than 1,000"),
        ({f"reports/small/{number}": b"x" * MAX_DESCRIPTION for number in range(9)}, "more than 67,108,864 bytes"),
        ({"reports/small/.git/config": b""}, "git's own folder"),
    ],
)
def test_more_files_than_a_version_has(reports, reason):
    class Repository:
        git = Contents(files() | reports)

    with pytest.raises(GateError, match=f"small-v1.0.0: data/small: .*{reason}"):
        Snapshot.at(Repository, "small", "revision", "small-v1.0.0", reports=True)
    assert Snapshot.at(Repository, "small", "revision", "small-v1.0.0").rows == 3


def test_other_pointers_in_the_folder_are_not_a_part_of_it():
    contents = files() | {"data/small/pin.json.dvc": b"outs:\n- md5: x\n", "data/small/extra.dvc": POINTER}
    assert read(contents).files.keys() == files().keys()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(files())), st.data())
def test_whatever_stands_in_a_file_is_one_message(name, data):
    contents = files()
    old = contents[name]
    if data.draw(st.booleans(), label="bytes"):
        start = data.draw(st.integers(0, len(old)))
        end = data.draw(st.integers(start, min(len(old), start + 20)))
        contents[name] = old[:start] + data.draw(st.binary(max_size=20)) + old[end:]
    else:
        contents[name] = json.dumps(data.draw(values)).encode()
    judge(contents)


@given(st.sampled_from(("metadata.json", "provenance.json")), st.data())
def test_whatever_value_a_key_has_is_one_message(name, data):
    contents = files()
    value = json.loads(contents[f"data/small/{name}"])
    at = value
    while isinstance(at, dict) and at:
        key = data.draw(st.sampled_from(sorted(at)))
        if not isinstance(at[key], dict) or data.draw(st.booleans()):
            at[key] = data.draw(values)
            break
        at = at[key]
    contents[f"data/small/{name}"] = json.dumps(value).encode()
    judge(contents)


def judge(contents: dict[str, bytes]) -> None:
    """Check that a version passes whole, or is one message."""
    try:
        snapshot = read(contents)
    except (GateError, NoReleaseError) as error:
        assert str(error).count("small-v1.0.0") >= 1
        return
    assert snapshot.outs.keys() <= {"data/small/processed", "data/small/manifest.parquet", "data/small/raw"}
    assert snapshot.rows >= 0
