"""The kind `documents`: the example of the page, built, and grown."""

import io
import zipfile

from clone import under_git
from configured import EXAMPLES, add, cleaning, metadata, only, table

PAGES = {
    "welcome.md": "# Welcome\n\nHere we are.\n",
    "teams/data.md": "# Data\n\nWho keeps it.\n",
    "teams/copy.md": "# Data\n\nWho keeps it.\n",
    "notes/2024.txt": "Ein paar Wörter\n",
    "notes/blank.txt": "\n",
    "drafts/2025.txt": "Not yet",
    "long.md": "word " * 30_000,
}


def packed(pages: dict[str, str]) -> dict[str, bytes]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in pages.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return {"handbook.zip": content.getvalue()}


def test_the_example_is_built_and_grows(bare):
    add(only(bare), "handbook", EXAMPLES["handbook"], packed(PAGES))
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    assert "handbook: released as handbook-v1.0.0" in clone.snakemake("--cores", "2")
    pages = table(clone, "handbook")
    assert pages.columns == ["path", "format", "lines", "text"]
    assert set(pages["path"]) <= {"welcome.md", "teams/data.md", "teams/copy.md", "notes/2024.txt"}
    assert pages.filter(path="notes/2024.txt").rows() == [("notes/2024.txt", "text", 1, "Ein paar Wörter\n")]
    found = metadata(clone, "handbook")
    assert {name: found["summary"][name] for name in ("rows", "dropped", "other_files")} == {
        "rows": 6,
        "dropped": 3,
        "other_files": 1,
    }
    assert found["summary"]["format_distribution"] == {"markdown": 2, "text": 1}
    assert found["metrics"]["all"]["char_length_max"] == len(PAGES["welcome.md"])
    assert cleaning(clone, "handbook")["first"]["huge"] == ["handbook.zip/long.md"]
    assert "the contract of their 3 rows" in clone.registry("check", "handbook")
    assert "Nothing to be done" in clone.snakemake("-n")

    add(bare, "handbook", EXAMPLES["handbook"], packed(PAGES | {"teams/data.md": "# Data\n\nNobody.\n"}))
    clone.commit("Let nobody keep the data")
    assert "handbook: released as handbook-v1.1.0 (MINOR)" in clone.snakemake("--cores", "2")
    assert "handbook.zip/teams/data.md" in clone.registry("diff", "handbook", "1.0.0", "1.1.0")
