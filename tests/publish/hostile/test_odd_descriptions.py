"""Descriptions, manifests and sources that pass for those of a release: one message, and no other dataset suffers."""

import io
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from forging import forge, refused, row_17, stored
from registry.describe.metadata import metadata_digest
from registry.storage.snapshot import Snapshot

TAG = "letters-v9.0.0"
Description = dict[str, Any]
ODD = "its \x1b]0;title\x07 and \x9b31m colours"


def forge_descriptions(
    clone,
    *,
    metadata: Callable[[Description], object] = lambda value: None,
    provenance: Callable[[Description], object] = lambda value: None,
    files: dict[str, bytes] | None = None,
) -> None:
    """Make letters-v9.0.0, whose descriptions were changed and agree, with more files."""

    def change(contents: dict[str, bytes]) -> None:
        about, made = (json.loads(contents[f"data/letters/{name}.json"]) for name in ("metadata", "provenance"))
        metadata(about)
        made["metadata"]["sha256"] = metadata_digest(about)
        provenance(made)
        for name, value in (("metadata", about), ("provenance", made)):
            contents[f"data/letters/{name}.json"] = json.dumps(value).encode()
        contents |= files or {}

    forge(clone, TAG, "letters-v1.1.0", change)


def forge_tree(clone, path: str, content: bytes = b"forged") -> None:
    """Make letters-v9.0.0, in which a path that git puts into no index is a file."""

    def git(*arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", *arguments], input=stdin, cwd=clone.folder, env=clone.environment(), capture_output=True, check=True
        ).stdout

    made = b"100644 blob " + git("hash-object", "-w", "--stdin", stdin=content).strip()
    for part in reversed(path.split("/")[1:]):
        made = b"040000 tree " + git("mktree", "-z", stdin=made + b"\t" + part.encode() + b"\0").strip()
    top = git("ls-tree", "-z", "letters-v1.1.0") + made + b"\t" + path.partition("/")[0].encode() + b"\0"
    commit = git("commit-tree", git("mktree", "-z", stdin=top).decode().strip(), "-p", "HEAD", "-m", "Forged").decode()
    clone.git("tag", "--annotate", "--message", f"{TAG}\n\nrows: all 10", TAG, commit.strip())


def forge_manifest(clone, change: Callable[[pa.Table], pa.Table]) -> None:
    """Make letters-v9.0.0, whose manifest is another file that its .dvc file and provenance.json agree on."""
    md5 = pointer_of(clone, "letters-v1.1.0", "manifest.parquet")
    path = clone.folder / ".dvc" / "storage" / "files" / "md5" / md5[:2] / md5[2:]
    said = {name: value for name, value in pq.read_metadata(path).metadata.items() if name.startswith(b"registry.")}
    stream = io.BytesIO()
    pq.write_table(change(pq.read_table(path).replace_schema_metadata(said)), stream)
    md5 = stored(clone, stream.getvalue())
    forge_descriptions(
        clone,
        provenance=lambda made: made["manifest"].update(md5=md5),
        files={"data/letters/manifest.parquet.dvc": pointer("manifest.parquet", md5)},
    )


def pointer(name: str, md5: str) -> bytes:
    return yaml.safe_dump({"outs": [{"md5": md5, "path": name, "hash": "md5", "size": 1}]}).encode()


def pointer_of(clone, tag: str, out: str) -> str:
    return yaml.safe_load(clone.git("show", f"{tag}:data/letters/{out}.dvc"))["outs"][0]["md5"]


def facts(**changed: bytes) -> Callable[[pa.Table], pa.Table]:
    added = {f"registry.{name}".encode(): value for name, value in changed.items()}
    return lambda table: table.replace_schema_metadata(table.schema.metadata | added)


def column(name: str, values: Callable[[int], pa.Array]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values(len(table)))


@pytest.mark.parametrize("path", ["reports/letters/.git/config", "reports/letters/x/GIT~1/config"])
def test_no_report_becomes_configuration_of_git(path, clone):
    forge_tree(clone, path)
    refused(clone, "rollback letters 9.0.0")
    assert not (clone.folder / "reports").exists()


def test_a_link_within_the_checkout_leads_no_report_into_git(clone):
    forge_descriptions(clone, files={"reports/letters/config": b"[core]\n"})
    (clone.folder / "reports").mkdir()
    (clone.folder / "reports" / "letters").symlink_to("../.git")
    before = (clone.folder / ".git" / "config").read_bytes()
    refused(clone, "rollback letters 9.0.0 --force")
    assert (clone.folder / ".git" / "config").read_bytes() == before


def test_a_link_in_the_place_of_a_half_written_report_is_not_followed(clone, victim):
    forge_descriptions(clone, files={"reports/letters/notes.svg": b"<svg/>"})
    (clone.folder / "reports" / "letters").mkdir(parents=True)
    (clone.folder / "reports" / "letters" / ".notes.svg.partial").symlink_to(victim)
    clone.registry("rollback", "letters", "9.0.0")
    assert victim.read_text() == "a private key"
    assert (clone.folder / "reports" / "letters" / "notes.svg").read_bytes() == b"<svg/>"


def test_the_list_of_a_folder_that_leads_into_git(clone):
    listing = json.dumps([{"md5": stored(clone, b"harmless"), "relpath": ".git/config"}]).encode()
    md5 = stored(clone, listing, ".dir")
    forge_descriptions(
        clone,
        provenance=lambda made: made["data"].update(md5=md5),
        files={"data/letters/processed.dvc": pointer("processed", md5)},
    )
    refused(clone, "rollback letters 9.0.0", f"get {clone.folder} letters@9.0.0")
    assert not (clone.folder / "data" / "letters" / "processed" / ".git").exists()


@pytest.mark.parametrize(
    "change",
    [
        facts(schema=b'["x"]'),
        facts(schema=b'[{"name": "value", "type": ["int64"]}]'),
        facts(digests=b"7"),
        facts(digests=b'["all"]'),
        facts(digests=b"{}"),
        facts(digests=b"[" * 100_000),
        lambda table: table.drop_columns(["key"]),
        column("sample_id", lambda rows: pa.array(range(rows), pa.int64())),
        column("sample_id", lambda rows: pa.nulls(rows, pa.binary(16))),
        column("input_id", lambda rows: pa.nulls(rows, pa.binary(16))),
        lambda table: table.slice(0, 3),
        lambda table: table.take(list(range(len(table)))[::-1]),
    ],
)
def test_a_manifest_that_is_none(change, clone):
    row = row_17(clone)
    forge_manifest(clone, change)
    refused(clone, "samples letters-v9.0.0", "diff letters 1.0.0 9.0.0")
    printed = clone.registry("find", row, code=2)
    assert f"not searched: {TAG}: " in printed
    assert "1.1.0" in printed
    assert "Traceback" not in printed


def test_keys_that_steer_a_terminal(clone):
    forge_manifest(clone, column("key", lambda rows: pa.array([f"{ODD}{row}" for row in range(rows)])))
    for command in ("samples letters-v9.0.0", "samples letters-v9.0.0 --json", "samples letters-v9.0.0 --csv"):
        assert not {"\x1b", "\x9b", "\x07"} & set(clone.registry(*command.split()))
    assert clone.registry_json("samples", TAG)["rows"][0]["key"] == f"{ODD}0"


def classes(*labels: object) -> Callable[[Description], None]:
    def change(metadata: Description) -> None:
        next(iter(metadata["schema"]["features"].values()))["classes"] = list(labels)

    return change


def test_classes_that_are_numbers_or_steer_a_terminal(clone):
    forge_descriptions(clone, metadata=classes(1, 2.5, ODD))
    printed = clone.registry("diff", "letters", "1.1.0", "9.0.0")
    assert "classes of `value` added: 1, 2.5, its " in printed
    assert not {"\x1b", "\x9b", "\x07"} & set(printed)


READ = ("diff letters 1.1.0 9.0.0", "rollback letters 9.0.0", "get . letters@9.0.0")


@pytest.mark.parametrize(
    "change",
    [
        {"provenance": lambda made: made["data"].update(bytes=10**400)},
        {"provenance": lambda made: made["data"].update(path="a" * 300)},
        {"metadata": lambda about: about.update(splits={name: {"num_samples": 9 * 10**4299} for name in "ab"})},
        {"metadata": lambda about: about["summary"].update(num_samples=10**4000)},
    ],
)
def test_a_description_that_no_release_writes(change, clone):
    forge_descriptions(clone, **change)
    refused(clone, *READ)
    assert "Traceback" not in clone.registry("find", "x", code=2)
    assert f"left out: {TAG}: " in clone.registry("list", ".")


@pytest.mark.parametrize(
    "change",
    [
        {"provenance": lambda made: made["config"].update(sources=7)},
        {"provenance": lambda made: made.update(code={f"{'a' * 300}.py": "x"})},
        {"metadata": lambda about: about["schema"].update(features={})},
    ],
)
def test_a_description_that_no_release_writes_leaves_the_other_datasets_alone(change, clone):
    forge_descriptions(clone, **change)
    merge(clone)
    clone.build("numbers", 12)
    assert "Traceback" not in clone.registry("status")
    assert "Traceback" not in clone.registry("publish", code=None)
    assert "numbers-v1.1.0" in clone.git("tag", "--list")


def merge(clone) -> None:
    """Take over the forged version, as those do who pull it."""
    clone.git("reset", "--quiet", "--hard", TAG)


def test_a_version_of_another_dataset(clone):
    names = ("metadata.json", "provenance.json", "processed.dvc", "manifest.parquet.dvc", "raw.dvc")
    others = {name: clone.git("show", f"numbers-v1.0.0:data/numbers/{name}").encode() for name in names}
    forge(clone, TAG, "letters-v1.1.0", lambda files: files.update({f"data/letters/{k}": v for k, v in others.items()}))
    refused(clone, *READ)
    assert "it is a version of numbers" in clone.registry("samples", TAG, code=1)


def test_a_manifest_that_cannot_be_compared_refuses_its_dataset_alone(clone):
    forge_manifest(clone, lambda table: table.slice(0, 3))
    merge(clone)
    clone.build("letters", 30)
    clone.build("numbers", 12)
    printed = clone.registry("publish", code=1)
    assert f"it cannot be compared with {TAG}" in printed
    assert "numbers-v1.1.0" in clone.git("tag", "--list")


def test_a_manifest_that_nobody_has_refuses_its_dataset_alone(clone):
    md5 = pointer_of(clone, "letters-v1.1.0", "manifest.parquet")
    for folder in ("cache", "storage"):
        (clone.folder / ".dvc" / folder / "files" / "md5" / md5[:2] / md5[2:]).unlink()
    clone.build("letters", 30)
    clone.build("numbers", 12)
    clone.commit("More of both")
    printed = clone.registry("publish", code=1)
    assert "it cannot be compared with letters-v1.1.0: remote local (" in printed
    assert "lacks files of this data: 1" in printed
    assert "Traceback" not in printed
    assert "numbers-v1.1.0" in clone.git("tag", "--list")
    assert "letters-v1.2.0" not in clone.git("tag", "--list")


def test_sources_that_are_not_those_of_the_data(clone):
    source = {"mode": "upstream", "files": [{"file": "values.csv", "url": None, "bytes": 8, "sha256": "0" * 64}]}
    names = {"sources.json": json.dumps(source).encode(), "values.csv": b"value\n666\n"}
    listing = [{"md5": stored(clone, content), "relpath": name} for name, content in names.items()]
    md5 = stored(clone, json.dumps(listing, sort_keys=True).encode(), ".dir")
    forge_descriptions(
        clone,
        provenance=lambda made: made.update(source=source),
        files={"data/letters/raw.dvc": pointer("raw", md5)},
    )
    merge(clone)
    for name, content in names.items():
        clone.write(f"data/letters/raw/{name}", content.decode())
    assert "data/letters/raw" not in Snapshot.on_disk(clone.folder, "letters").outs
