"""What is the user's own stays where it is: it is neither committed, nor removed, nor overwritten."""

import json

import pytest

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
