"""Tags, lists and files that somebody made to do harm, in a real repository: one message each, and nothing is hurt."""

import json
import re
from pathlib import Path

import pytest
import yaml

from forging import READERS, forge, forge_pointer, refused, row_17, stored, untouched
from registry.describe.metadata import metadata_digest


@pytest.mark.parametrize("file", ["manifest.parquet", "processed"])
def test_an_md5_that_leads_out_of_the_cache(file, clone, victim):
    md5 = "../../../../../../../../victim/id_rsa"
    key = {"manifest.parquet": "manifest", "processed": "data"}[file]
    forge_pointer(clone, file, md5, key)
    refused(clone, *READERS)
    printed = clone.registry("find", row_17(clone), code=2)
    assert "not searched: letters-v9.0.0" in printed
    assert "letters " in printed
    clone.registry("status")
    clone.registry("log", "letters")
    clone.git("reset", "--quiet", "--hard", "letters-v9.0.0")
    assert "letters: left out" in clone.registry("pull", "--force", "letters", code=1)
    assert "is not an md5" in clone.registry("push", "local", code=1)
    untouched(victim)


def test_why_a_dataset_is_left_out_is_one_line(clone):
    path = clone.folder / "data/letters/processed.dvc"
    path.write_text(re.sub("md5: .*dir", f"md5: {'0' * 32}.dir", path.read_text()))
    clone.commit("Point elsewhere")
    [line] = clone.registry("pull", "letters", code=1).splitlines()
    assert line.startswith("letters: left out: HEAD: its parts disagree: ") and "; what to do: " in line
    assert "\ufffd" not in line


@pytest.mark.parametrize(
    "relpath", ["../../../../../../victim/new", "/tmp/registry-hostile", "a/../../x", "", ".", "a//b", "a\0b"]
)
def test_the_list_of_a_folder_that_leads_out_of_it(relpath, clone, victim):
    harmless = stored(clone, b"harmless")
    listing = json.dumps([{"md5": harmless, "relpath": relpath}]).encode()
    md5 = stored(clone, listing, ".dir")
    forge_pointer(clone, "processed", md5, "data")
    refused(clone, "rollback letters 9.0.0", "republish letters 9.0.0 --reason x")
    clone.git("reset", "--quiet", "--hard", "letters-v9.0.0")
    refused(clone, "pull --force letters", "push local letters")
    assert not Path("/tmp/registry-hostile").exists()
    untouched(victim)


@pytest.mark.parametrize("md5", ["../../../../../../../../victim/id_rsa", "x", None, f"{'0' * 32}.dir"])
def test_the_list_of_a_folder_whose_files_lead_out_of_the_cache(md5, clone, victim):
    listing = stored(clone, json.dumps([{"md5": md5, "relpath": "a.parquet"}]).encode(), ".dir")
    forge_pointer(clone, "processed", listing, "data")
    refused(clone, "rollback letters 9.0.0")
    untouched(victim)


@pytest.mark.parametrize("listing", [b"", b"{", b"{}", b"[7]", b'["x"]', b"[[]]", b"null", b"[" * 100_000])
def test_a_list_of_a_folder_that_is_not_one(listing, clone):
    md5 = stored(clone, listing, ".dir")
    forge_pointer(clone, "processed", md5, "data")
    refused(clone, "rollback letters 9.0.0")


def test_a_version_whose_pointer_was_turned_to_other_data(clone):
    other = yaml.safe_load(clone.git("show", "numbers-v1.0.0:data/numbers/processed.dvc"))["outs"][0]["md5"]
    forge_pointer(clone, "processed", other)
    refused(clone, *READERS)
    for command in READERS[:3]:
        assert "its parts disagree: processed.dvc" in clone.registry(*command.split(), code=1)


def test_a_version_whose_statistics_were_edited(clone):
    def edit(files: dict[str, bytes]) -> None:
        metadata = json.loads(files["data/letters/metadata.json"])
        metadata["summary"]["num_samples"] = 1
        files["data/letters/metadata.json"] = json.dumps(metadata).encode()

    forge(clone, "letters-v9.0.0", "letters-v1.1.0", edit)
    refused(clone, *READERS)
    for command in READERS[:3]:
        assert "its parts disagree: metadata.json" in clone.registry(*command.split(), code=1)


def test_a_version_whose_manifest_is_that_of_other_data(clone):
    other = yaml.safe_load(clone.git("show", "numbers-v1.0.0:data/numbers/manifest.parquet.dvc"))["outs"][0]["md5"]
    forge_pointer(clone, "manifest.parquet", other, "manifest")
    for command in ("samples letters-v9.0.0", "diff letters 1.0.0 9.0.0"):
        assert "content_hash differs" in clone.registry(*command.split(), code=1)
    assert "not searched: letters-v9.0.0: the manifest" in clone.registry("find", row_17(clone), code=2)


@pytest.mark.parametrize("path", ["../../../../victim", "..", "raw", "pin.json"])
def test_data_that_would_be_laid_out_elsewhere(path, clone, victim):
    def edit(files: dict[str, bytes]) -> None:
        provenance = json.loads(files["data/letters/provenance.json"])
        provenance["data"]["path"] = path
        files["data/letters/provenance.json"] = json.dumps(provenance).encode()
        files[f"data/letters/{path}.dvc"] = files["data/letters/processed.dvc"].replace(b"processed", path.encode())

    # git keeps no path with `..` in it.
    forge(clone, "letters-v9.0.0", "letters-v1.1.0", lambda files: edit(files) or files.pop(f"data/letters/{path}.dvc"))
    refused(clone, *READERS)
    untouched(victim)


def test_a_link_in_the_checkout_that_leads_out_of_it(clone, victim):
    (clone.folder / "data").rename(clone.folder.parent / "elsewhere")
    (clone.folder / "data").symlink_to(clone.folder.parent / "elsewhere")
    refused(clone, "rollback letters 1.0.0")
    untouched(victim)


def test_odd_tags_never_break_the_others(clone):
    clone.git("tag", "letters-v2.0.0")
    clone.git("tag", "--annotate", "--message", "on a file", "letters-v3.0.0", "HEAD:notes.txt")
    clone.git(
        "tag", "--annotate", "--message", "x\n\ncontent of 4.0.0\ncontent of the second file", "letters-v4.0.0", "HEAD"
    )
    forge(clone, "letters-v5.0.0", "letters-v1.1.0", lambda files: files.pop("data/letters/manifest.parquet.dvc"))
    printed = clone.registry("log", "letters")
    assert "letters-v1.1.0" in printed
    for tag in ("letters-v2.0.0", "letters-v3.0.0"):
        assert f"{tag} is left out: not an annotated tag of a commit" in printed
    assert "letters-v2.0.0 is left out" in clone.registry("status")
    printed = clone.registry("find", row_17(clone), code=2)
    for tag in ("letters-v2.0.0", "letters-v3.0.0", "letters-v5.0.0"):
        assert f"not searched: {tag}" in printed
    assert "1.1.0" in printed
    clone.registry("verify", "letters-v4.0.0", code=1)
    # The numbers of odd tags are not used again.
    clone.git("tag", "--delete", "letters-v4.0.0", "letters-v5.0.0")
    clone.git("tag", "letters-v1.2.0")
    clone.build("letters", 30)
    assert "released as letters-v1.3.0" in clone.registry("publish", "letters")


def test_a_manifest_that_nobody_has_leaves_its_version_out(clone):
    md5 = yaml.safe_load(clone.git("show", "letters-v1.0.0:data/letters/manifest.parquet.dvc"))["outs"][0]["md5"]
    for store in ("cache", "storage"):
        (clone.folder / ".dvc" / store / "files" / "md5" / md5[:2] / md5[2:]).unlink(missing_ok=True)
    printed = clone.registry("find", row_17(clone), code=2)
    assert "not searched: letters-v1.0.0" in printed
    assert "1.1.0" in printed


def test_a_pin_of_somebody_else(clone, victim):
    for tag in ("../../../../victim/id_rsa", "numbers-v1.0.0", "letters-v1.0.0\n"):
        clone.write("data/letters/pin.json", json.dumps({"version": "1.0.0", "tag": tag}))
        for command, code in {"pull": 1, "publish": 3, "status": 0, "unpin letters": 1}.items():
            printed = clone.registry(*command.split(), code=code)
            assert "not a pin" in printed
    untouched(victim)


def test_metadata_of_a_size_that_nobody_needs(clone):
    def edit(files: dict[str, bytes]) -> None:
        metadata = json.loads(files["data/letters/metadata.json"])
        metadata["summary"]["text"] = "x" * (9 << 20)
        files["data/letters/metadata.json"] = json.dumps(metadata).encode()
        provenance = json.loads(files["data/letters/provenance.json"])
        provenance["metadata"]["sha256"] = metadata_digest(metadata)
        files["data/letters/provenance.json"] = json.dumps(provenance).encode()

    forge(clone, "letters-v9.0.0", "letters-v1.1.0", edit)
    printed = clone.registry("samples", "letters-v9.0.0", code=1)
    assert "more than 8,388,608" in printed
