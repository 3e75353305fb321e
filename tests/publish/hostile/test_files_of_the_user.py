"""What is the user's own stays where it is: it is neither committed, nor removed, nor overwritten."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from forging import forge, stored, untouched
from registry.describe.metadata import metadata_digest
from tiny import Tiny


def described(clone: Tiny, **changed: object) -> None:
    """Commit descriptions of letters with other metadata, which agree with each other."""
    folder = clone.folder / "data" / "letters"
    metadata, provenance = (json.loads((folder / f"{name}.json").read_text()) for name in ("metadata", "provenance"))
    metadata |= changed
    provenance["metadata"]["sha256"] = metadata_digest(metadata)
    for name, value in (("metadata", metadata), ("provenance", provenance)):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    clone.git("commit", "--quiet", "--all", "--message", "Describe the prompt")


def committed(clone: Tiny) -> list[str]:
    return clone.git("ls-tree", "-r", "--name-only", "HEAD").splitlines()


@pytest.mark.parametrize("uri", ["config/../.env", "config/prompts/../../.env", "config/own.env"])
def test_a_description_does_not_say_which_files_are_committed(uri, clone):
    clone.write(".env", "secret\n")
    clone.write("config/own.env", "neither ignored nor of this dataset\n")
    described(clone, prompt={"prompt_uri": uri})
    clone.registry("publish", code=None)
    assert not {".env", "config/own.env"} & set(committed(clone))


def test_a_configuration_that_git_ignores_is_not_committed(clone):
    clone.write(".git/info/exclude", "config/locks/\n")
    clone.write("config/locks/letters.yaml", "secret: true\n")
    clone.build("letters", 30)
    printed = clone.registry("publish", code=3)
    assert "made from a file that git ignores: config/locks/letters.yaml" in printed
    assert "config/locks/letters.yaml" not in committed(clone)
    clone.git("add", "--force", "config/locks/letters.yaml")
    clone.registry("publish")
    assert "config/locks/letters.yaml" in committed(clone)


REPORT = "reports/letters/profile.json"
NOTES = "reports/letters/my-notes.md"


def with_reports(clone: Tiny) -> None:
    """Release letters 1.2.0 with a report, which 1.1.0 lacks."""
    clone.build("letters", 30)
    clone.write(REPORT, "{}\n")
    clone.registry("publish")
    assert REPORT in committed(clone)


def test_of_the_reports_only_those_of_a_release_go(clone):
    with_reports(clone)
    clone.write(NOTES, "hours of work, never committed")
    clone.registry("rollback", "letters", "1.1.0")
    assert not (clone.folder / REPORT).exists()
    assert (clone.folder / NOTES).is_file()
    clone.write(REPORT, "{}\n")
    clone.registry("rollback", "letters", "1.0.0")
    assert not (clone.folder / REPORT).exists()
    assert (clone.folder / NOTES).is_file()


def test_a_report_that_was_edited_is_not_lost(clone):
    with_reports(clone)
    clone.write(REPORT, '{"edited": true}\n')
    printed = clone.registry("rollback", "letters", "1.1.0", code=1)
    assert f"unpublished work would be lost: {REPORT}" in printed
    assert "edited" in (clone.folder / REPORT).read_text()
    assert not (clone.folder / "data" / "letters" / "pin.json").exists()
    clone.registry("rollback", "letters", "1.1.0", "--force")
    assert not (clone.folder / REPORT).exists()


def test_reports_behind_a_link_are_left_alone(clone, victim):
    (clone.folder / "reports").mkdir(exist_ok=True)
    (clone.folder / "reports" / "letters").symlink_to(victim.parent)
    clone.git("add", "--force", "reports/letters")
    clone.git("commit", "--quiet", "--message", "Link the reports")
    clone.registry("rollback", "letters", "1.0.0", "--force")
    untouched(victim)


@pytest.mark.parametrize("place", ["data", "data/letters", "reports/letters"])
def test_nothing_is_written_or_removed_where_a_link_is_on_the_way(place, clone, tmp_path):
    with_reports(clone)
    (clone.folder / place).rename(tmp_path / "elsewhere")
    (clone.folder / place).symlink_to(tmp_path / "elsewhere")
    before = files_in(tmp_path / "elsewhere")
    for command in ("rollback letters 1.1.0", "rollback letters 1.1.0 --force", "republish letters 1.1.0 --reason x"):
        assert "a link on the way" in clone.registry(*command.split(), code=1)
    assert files_in(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("name", [".pin.json.partial", ".metadata.json.partial", ".processed.partial"])
def test_a_link_in_place_of_a_half_written_file_is_not_written_through(name, clone, victim):
    (clone.folder / "data" / "letters" / name).symlink_to(victim)
    clone.registry("rollback", "letters", "1.0.0")
    untouched(victim)


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("content", "left"), [(b"value\n1\n", True), (b"value\n666\n", False)])
def test_sources_that_the_data_was_not_made_from_are_left_out(content, left, clone):
    source = {"mode": "upstream", "files": [{"file": "values.csv", "sha256": sha256(b"value\n1\n").hexdigest()}]}
    files = {"sources.json": stored(clone, json.dumps(source).encode()), "values.csv": stored(clone, content)}
    listing = [{"md5": md5, "relpath": file} for file, md5 in files.items()]
    md5 = stored(clone, json.dumps(listing, sort_keys=True).encode(), ".dir")

    def change(files: dict[str, bytes]) -> None:
        provenance = json.loads(files["data/letters/provenance.json"])
        provenance["source"] = source
        files["data/letters/provenance.json"] = json.dumps(provenance).encode()
        files["data/letters/raw.dvc"] = yaml.safe_dump({"outs": [{"md5": md5, "path": "raw"}]}).encode()

    forge(clone, "letters-v9.0.0", "letters-v1.1.0", change)
    clone.git("reset", "--quiet", "--hard", "letters-v9.0.0")
    printed = clone.registry("pull", "--raw", "--force", "letters", code=None)
    assert ("data/letters/raw is removed: it is not what letters was made from" in printed) != left
    assert (clone.folder / "data/letters/raw/values.csv").exists() == left
