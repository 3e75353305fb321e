"""The preview of pull requests: what they would release, and the one comment that says so."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clone import under_git
from configured import EXAMPLES, add, only
from github_actions import Actions
from json_api import JsonApi
from origin import with_origin
from project import copy_repository
from s3 import S3Server
from support import ROOT

SWAPPED = (17, 501)
"""Rows, of 1,000, whose labels are swapped."""


class GitHub(JsonApi):
    """GitHub's API of comments, as far as the preview asks it: those of pull request 7."""

    def __init__(self) -> None:
        super().__init__("token-of-the-job", (403, {"message": "Resource not accessible by integration"}))
        # Somebody who writes the marker gets their comment neither replaced nor taken for the bot's.
        self.comments: list[dict[str, Any]] = [
            {"id": 1, "user": {"type": "User"}, "body": "<!-- registry-preview -->\nmine"},
            {"id": 2, "user": None, "body": None},
        ]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """List comments, of which there is one page, add one, or replace what one says."""
        if method == "GET":
            return 200, self.comments if path.endswith("&page=1") else []
        if method == "POST":
            self.comments.append({"id": len(self.comments) + 1, "user": {"type": "Bot"}, **body})
            return 201, self.comments[-1]
        (comment,) = [one for one in self.comments if path.endswith(f"/issues/comments/{one['id']}")]
        comment.update(body)
        return 200, comment


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


def table(rows: list[tuple[str, int]]) -> dict[str, bytes]:
    lines = [f"{'MFI'[number % 3]},{measure},0.5,1,{label}" for number, (measure, label) in enumerate(rows)]
    return {"abalone.csv": "\n".join([*lines, ""]).encode()}


def proposed(server: S3Server, tmp_path: Path) -> tuple[Actions, str]:
    """Return a registry whose one table is released, and the merge commit of a pull request that swaps two labels."""
    rows = [(f"0.{1000 + number}", number % 7 + 1) for number in range(1000)]
    project = only(copy_repository(tmp_path / "begun"))
    add(project, "abalone", EXAMPLES["abalone"], table(rows))
    clone = under_git(project)
    origin = with_origin(clone, server, tmp_path)
    clone.registry("run", "--", "--cores", "2", **server.environment(server.admin))
    assert clone.tags() == ["abalone-v1.0.0"]
    clone.git("switch", "--quiet", "--create", "swap")
    one, other = SWAPPED
    rows[one], rows[other] = (rows[one][0], rows[other][1]), (rows[other][0], rows[one][1])
    add(clone, "abalone", EXAMPLES["abalone"], table(rows))
    clone.commit("Swap two labels")
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/merge-of-7")
    return Actions(clone, origin, tmp_path / "actions"), clone.head()


def test_a_swap_of_two_labels_is_announced_as_major_with_these_rows(server, github, tmp_path):
    actions, merge = proposed(server, tmp_path)
    base = actions.clone.git("rev-parse", "main")
    pull_request = {
        "number": 7,
        "base": {"ref": "main", "sha": base},
        "head": {"ref": "swap", "repo": {"full_name": "ada/registry"}},
    }
    given = {
        "payload": {"pull_request": pull_request, "repository": {"full_name": "ada/registry"}},
        "secrets": {"READER_ACCESS_KEY_ID": server.reader.key, "READER_SECRET_ACCESS_KEY": server.reader.secret},
        "environment": {
            "MERGE": merge,
            "GITHUB_API_URL": github.url,
            "GITHUB_REPOSITORY": "ada/registry",
            "GITHUB_BASE_REF": "main",
        },
    }
    for _ in range(2):
        ended = actions.run("preview.yaml", "pull_request", **given)
        assert ended.code == 0, ended.printed
    mine, gone, comment = github.comments
    assert gone["body"] is None
    assert mine["body"].endswith("mine")
    for text in (comment["body"], ended.summary):
        assert "<code>MAJOR</code>" in text
        assert "<code>2.0.0</code>" in text
        for row in SWAPPED:
            assert str(row) in text
        assert "artifact `differences`" in text
    assert "</html>" in (ended.artifacts / "differences" / "abalone.html").read_text()
    assert actions.clone.git("ls-remote", "--tags", "origin").count("abalone-v1.0.0^{}") == 1
    assert "abalone-v2" not in actions.clone.git("ls-remote", "--tags", "origin")


def rendered(plan: dict[str, Any], diffs: dict[str, Any]) -> str:
    code = "import json, sys; from preview_comment import comment; print(comment(*json.load(sys.stdin), True), end='')"
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}{os.pathsep}{ROOT / 'scripts' / 'ci'}"}
    command = [sys.executable, "-c", code]
    given = json.dumps([plan, diffs])
    return subprocess.run(command, input=given, env=env, check=True, capture_output=True, text=True).stdout


def test_data_has_no_meaning_in_the_comment_and_it_is_never_too_long():
    evil = "| @everyone `x` <img src=x> [y](https://evil.example) \n# head ![z](http://evil.example)"
    outcome = {
        "dataset": "abalone",
        "state": "changed",
        "previous": "1.0.0",
        "version": "2.0.0",
        "level": "MAJOR",
        "reasons": [evil],
        "hint": evil,
    }
    rows = {"before": 1, "after": 1, "added": 0, "removed": 0, "changed": 1, "examples": {"changed": [evil]}}
    found = {
        "splits": {"train": rows},
        "values": [{"split": "train", "key": evil, "values": {"sex": [evil, "F"]}}],
        "statistics": [],
    }
    text = rendered({"outcomes": [outcome], "skipped": None}, {"abalone": found})
    for meaning in ("@everyone", "`x`", "<img", "](", "https://evil", "\n# head"):
        assert meaning not in text
    text = rendered({"outcomes": [{**outcome, "reasons": ["\N{SNOWMAN}" * 100_000]}], "skipped": None}, {})
    assert len(text.encode()) <= 60_000
    assert text.endswith("too long for a comment.\n")


def test_where_the_registry_says_nothing_no_dataset_is_said_to_be_unchanged(tmp_path):
    clone = under_git(copy_repository(tmp_path / "begun"))
    (clone.folder / "config" / "config.yaml").write_text("release: [\n")
    command = [sys.executable, ROOT / "scripts" / "ci" / "preview_comment.py"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    env.pop("GITHUB_STEP_SUMMARY", None)
    done = subprocess.run(command, cwd=clone.folder, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.endswith("\nWhat would be released cannot be told: see the log of the job.\n")
    assert "config.yaml" in done.stderr
