"""Git's plumbing, on real repositories: nothing of the user's may be lost, nothing be half-made."""

import os
import subprocess

import pytest

from registry.errors import RegistryError
from registry.gate import GateError
from registry.storage.git import FALLBACK_IDENTITY, Git, GitError

ADA = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
}


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def git(tmp_path) -> Git:
    """A repository with one commit of a, b and folder/c, and an ignored file."""
    git = Git(tmp_path / "repository")
    (git.root / "folder").mkdir(parents=True)
    git.run("init", "--quiet", "--initial-branch", "main")
    git.run("config", "user.name", "Ada")
    git.run("config", "user.email", "ada@example.org")
    write(git, **{"a": "a", "b": "b", "folder/c": "c", ".gitignore": "ignored\n"})
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "Start")
    return git


def write(git: Git, **files: str) -> None:
    """Write files below the top."""
    for name, text in files.items():
        (git.root / name).write_text(text, encoding="utf-8")


def listed(git: Git, revision: str) -> dict[str, str]:
    """Return {path: text} of a revision."""
    paths = git.run("ls-tree", "-r", "--name-only", revision).splitlines()
    return {path: git.run("show", f"{revision}:{path}") for path in paths}


def test_a_repository_is_found_at_its_top_alone(git, tmp_path):
    assert Git.find(git.root).root == git.root
    assert Git.find(git.root / "folder") is None
    assert Git.find(tmp_path) is None
    assert Git.find(tmp_path / "nowhere") is None
    (tmp_path / "link").symlink_to(git.root)
    assert Git.find(tmp_path / "link") is not None
    bare = tmp_path / "bare"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    assert Git.find(bare) is None


def test_without_the_program_that_is_said(git, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RegistryError, match="git is not installed"):
        Git.find(git.root)


def test_a_repository_of_another_user_is_refused_until_it_is_trusted(git, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "true")
    with pytest.raises(RegistryError, match="of another user") as caught:
        Git.find(git.root)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    subprocess.run(caught.value.hint.partition(": ")[2], shell=True, check=True)
    assert Git.find(git.root).root == git.root


def test_an_index_of_the_caller_is_not_used(git, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert Git(git.root).run("ls-files").splitlines() == [".gitignore", "a", "b", "folder/c"]


def test_an_error_says_what_git_said_without_credentials(git):
    git.run("remote", "add", "origin", "https://ada:secret@127.0.0.1:1/repository.git")
    with pytest.raises(GitError, match="git fetch failed: .*127.0.0.1:1") as caught:
        git.run("fetch", "origin")
    assert "secret" not in str(caught.value)
    error = GitError("push", "fatal: https://ada:secret@host/a.git and ssh://me:token@host/b.git\n")
    assert str(error) == "git push failed: fatal: https://host/a.git and ssh://me@host/b.git"


def test_where_head_is(git):
    assert git.branch() == "main"
    assert git.default_branch() is None
    assert git.origin() is None
    first = git.commit()
    assert git.commit("nonsense") is None
    assert git.commit("--help") is None
    git.run("remote", "add", "origin", "somewhere")
    git.run("update-ref", "refs/remotes/origin/work/on", "HEAD")
    git.run("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/work/on")
    assert (git.default_branch(), git.origin()) == ("work/on", "somewhere")
    git.run("checkout", "--quiet", "--detach")
    assert git.branch() is None
    git.run("commit", "--quiet", "--allow-empty", "--message", "Next")
    assert git.is_ancestor(first, git.commit())
    assert git.is_ancestor(first, first)
    assert not git.is_ancestor(git.commit(), first)


def test_a_repository_without_commits(tmp_path):
    git = Git(tmp_path)
    git.run("init", "--quiet", "--initial-branch", "main")
    assert (git.branch(), git.commit(), git.operation()) == ("main", None, None)


def test_what_is_ignored_and_which_line_says_so(git):
    write(git, **{".gitignore": "*.log\n!kept.log\nfolder/\n"})
    assert git.ignored(["a", "kept.log", "x\n.log", "folder/c"]) == {
        "x\n.log": "line 1 of .gitignore (*.log)",
        "folder/c": "line 3 of .gitignore (folder/)",
    }
    assert git.ignored([]) == git.ignored(["a"]) == {}
    with pytest.raises(GitError, match="outside repository"):
        git.ignored(["../a"])


def diverge(git: Git) -> None:
    git.run("switch", "--quiet", "--create", "other")
    write(git, a="theirs")
    git.run("commit", "--quiet", "--all", "--message", "Theirs")
    git.run("switch", "--quiet", "main")
    write(git, a="ours")
    git.run("commit", "--quiet", "--all", "--message", "Ours")


@pytest.mark.parametrize(
    ("command", "operation"),
    [
        (("merge", "other"), "a merge"),
        (("rebase", "other"), "a rebase"),
        (("rebase", "--apply", "other"), "a rebase"),
        (("cherry-pick", "other"), "a cherry-pick"),
        (("revert", "--no-edit", "HEAD~1"), "a revert"),
        (("bisect", "start"), "a bisection"),
    ],
)
def test_an_operation_under_way_is_seen_where_it_is(git, tmp_path, command, operation):
    diverge(git)
    if command[0] == "revert":
        write(git, a="again")
        git.run("commit", "--quiet", "--all", "--message", "Again")
    assert git.operation() is None
    subprocess.run(["git", *command], cwd=git.root, capture_output=True)
    assert git.operation() == operation
    git.run("worktree", "add", "--quiet", "-b", "third", str(tmp_path / "tree"), "HEAD")
    assert Git(tmp_path / "tree").operation() is None


def test_an_operation_in_a_linked_tree_is_its_own(git, tmp_path):
    diverge(git)
    git.run("worktree", "add", "--quiet", "-b", "third", str(tmp_path / "tree"), "main")
    tree = Git.find(tmp_path / "tree")
    subprocess.run(["git", "merge", "other"], cwd=tree.root, capture_output=True)
    assert (tree.operation(), git.operation()) == ("a merge", None)
    assert tree.common_dir == git.common_dir == (git.root / ".git").resolve()
    assert tree.main_worktree == git.main_worktree == git.root
    assert tree.branch() == "third"


def test_files_of_a_revision_are_read_as_they_are(git):
    content = bytes(range(256)) + b"\nblob 3\n\n"
    (git.root / "with space").write_bytes(content)
    (git.root / "empty").touch()
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "More")
    found = git.read("HEAD", ["nothing", "with space", "empty", "folder/d", "a"])
    assert found == {"with space": content, "empty": b"", "a": b"a"}
    assert list(found) == ["with space", "empty", "a"]
    assert git.read("HEAD~1", ["with space", "a"]) == {"a": b"a"}
    assert git.read("HEAD", []) == {}
    assert git.listed("HEAD", "folder") == ["folder/c"]
    assert git.listed("HEAD", "nowhere") == []


def test_what_is_too_much_to_read_is_refused(git, monkeypatch):
    assert git.read("HEAD", ["a", "b"], max_bytes=1) == {"a": b"a", "b": b"b"}
    with pytest.raises(GateError, match="HEAD: its files have more than 2 bytes together"):
        git.read("HEAD", ["a", "b", "folder/c"], max_bytes=1)
    with pytest.raises(GateError, match="HEAD:.gitignore: 8 bytes, more than 7"):
        git.read("HEAD", [".gitignore"], max_bytes=7)
    with pytest.raises(GateError, match="is not the name of a file"):
        git.read("HEAD", ["a\nb"])
    with pytest.raises(GateError, match="git cannot list folder: fatal: Not a valid object name nothing"):
        git.listed("nothing", "folder")
    monkeypatch.setattr("registry.storage.git.MAX_LISTED", 100)
    with pytest.raises(GateError, match="HEAD: more files below folder than a release can have"):
        git.listed("HEAD", "folder")


def test_a_damaged_file_is_an_error_however_it_is_read(git):
    blob = git.run("rev-parse", "HEAD:a")
    path = git.root / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-4])
    for bound in (None, 9):
        with pytest.raises(GitError, match="git cat-file failed: .*" + blob):
            git.read("HEAD", ["b", "a"], max_bytes=bound)


@pytest.mark.parametrize("name", ["a\u2028b", "a\u3000b", "a\nb", "a\rb\r", '"a"', "a\\b", " a\t", "caf\udce9"])
def test_a_name_may_hold_any_character(git, name):
    base = git.commit()
    write(git, **{f"folder/{name}": "new"})
    assert git.visible("folder") == sorted([f"folder/{name}", "folder/c"])
    assert git.changed(base, [f"folder/{name}", "folder/c"]) == [f"folder/{name}"]
    commit = git.commit_object(base, [f"folder/{name}"], "New", ADA)
    assert git.changed(commit, [f"folder/{name}"]) == []
    assert set(git.listed(commit, "folder")) == {f"folder/{name}", "folder/c"}
    assert git.differing(base, commit, []) == [f"folder/{name}"]
    git.fast_forward(base, commit, [f"folder/{name}"])
    git.update_refs(("main", commit, base), {}, "test")
    assert git.run("status", "--porcelain") == ""


def test_references_and_what_a_commit_contains(git):
    first = git.commit()
    git.run("tag", "a\u3000refs/tags/b")
    git.run("commit", "--quiet", "--allow-empty", "--message", "Next")
    assert git.references("refs/tags/") == {"refs/tags/a\u3000refs/tags/b": first}
    assert git.references().keys() == {"refs/heads/main", "refs/tags/a\u3000refs/tags/b"}
    assert git.contained("HEAD") == {first, git.commit()}
    assert git.kinds(["HEAD", "HEAD:a", "HEAD:nothing", "nothing"]) == {
        "HEAD": ("commit", git.kinds(["HEAD"])["HEAD"][1]),
        "HEAD:a": ("blob", 1),
    }


def test_files_of_a_revision_are_written_elsewhere(git, tmp_path):
    write(git, a="staged")
    git.run("add", "a")
    git.export("HEAD", tmp_path / "new folder")
    files = {path for path in (tmp_path / "new folder").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "new folder").as_posix() for path in files} == {
        "a",
        "b",
        "folder/c",
        ".gitignore",
    }
    assert (tmp_path / "new folder" / "a").read_text() == "a"
    assert git.run("status", "--porcelain") == "M  a"


def test_what_git_would_show_of_a_folder(git):
    write(git, ignored="i", **{"folder/new": "n", "folder/ignored": "i"})
    (git.root / "b").unlink()
    assert git.visible("folder", "b") == ["folder/c", "folder/new"]
    assert git.visible("nowhere") == []


def test_changed_is_what_differs_in_content(git):
    os.utime(git.root / "a", (1, 1))
    write(git, **{"folder/c": "other", "new": "n", "ignored": "i"})
    (git.root / "b").unlink()
    paths = ["a", "b", "folder/c", "new", "ignored", "nowhere"]
    assert git.changed("HEAD", paths) == ["b", "folder/c", "ignored", "new"]
    git.run("add", "--all")
    assert git.changed("HEAD", paths) == ["b", "folder/c", "ignored", "new"]
    assert git.changed("HEAD", []) == []
    assert git.changed("HEAD", ["a"]) == []


def test_line_ends_that_git_converts_are_no_change(git):
    write(git, **{".gitattributes": "text.csv text eol=crlf\n"})
    (git.root / "text.csv").write_bytes(b"a\r\n")
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "Text")
    assert git.read("HEAD", ["text.csv"]) == {"text.csv": b"a\n"}
    assert git.changed("HEAD", ["text.csv"]) == []


def test_staged_otherwise_is_neither_here_nor_there(git):
    write(git, a="staged", b="staged")
    git.run("add", "a", "b")
    write(git, a="working", **{"folder/c": "working"})
    assert git.staged_otherwise("HEAD", ["a", "b", "folder/c"]) == ["a"]
    assert git.staged_otherwise("HEAD", ["b"]) == []


def test_identity_is_the_chosen_then_the_configured_then_ours(git):
    assert git.identity("Robot <robot@example.org>") == {
        "GIT_AUTHOR_NAME": "Robot",
        "GIT_AUTHOR_EMAIL": "robot@example.org",
        "GIT_COMMITTER_NAME": "Robot",
        "GIT_COMMITTER_EMAIL": "robot@example.org",
    }
    assert git.identity(None) == {}
    git.run("config", "--unset", "user.email")
    git.run("config", "user.useConfigOnly", "true")
    ours = git.identity(None)
    assert f"{ours['GIT_AUTHOR_NAME']} <{ours['GIT_COMMITTER_EMAIL']}>" == FALLBACK_IDENTITY


def test_a_commit_takes_the_named_files_alone_and_touches_nothing(git):
    write(git, a="changed", b="staged", ignored="taken", **{"folder/new": "not taken"})
    git.run("add", "b")
    (git.root / "folder" / "c").unlink()
    before = git.run("ls-files", "--stage"), git.run("for-each-ref"), git.run("status", "--porcelain")
    base = git.commit()
    commit = git.commit_object(base, ["a", "ignored", "folder/c"], "Words\n\n# kept\n", ADA)
    assert listed(git, commit) == {".gitignore": "ignored", "a": "changed", "b": "b", "ignored": "taken"}
    assert git.run("log", "-1", "--format=%P|%an|%ce|%B", commit) == f"{base}|Ada|ada@example.org|Words\n\n# kept"
    assert (git.run("ls-files", "--stage"), git.run("for-each-ref"), git.run("status", "--porcelain")) == before
    assert [path.name for path in git.common_dir.glob("registry-*")] == []


def test_hooks_have_no_say(git):
    for hook in ("pre-commit", "commit-msg", "reference-transaction"):
        path = git.root / ".git" / "hooks" / hook
        path.write_text("#!/bin/sh\nexit 1\n" if hook != "reference-transaction" else "#!/bin/sh\nexit 0\n")
        path.chmod(0o755)
    write(git, a="changed")
    base = git.commit()
    commit = git.commit_object(base, ["a"], "Words", ADA)
    git.fast_forward(base, commit, ["a"])
    git.update_refs(("main", commit, base), {}, "test")
    assert git.commit() == commit
    assert git.run("status", "--porcelain") == ""


def test_a_tag_is_an_object_until_a_reference_names_it(git):
    message = "a 1.0.0\n\n# not a comment\n  indented\n"
    tag = git.tag_object("a-v1.0.0", git.commit(), message, ADA)
    assert git.run("tag", "--list") == ""
    assert git.run("cat-file", "-t", tag) == "tag"
    git.update_refs(None, {"a-v1.0.0": tag}, "test")
    assert git.run("for-each-ref", "refs/tags", "--format=%(taggername) %(contents)") == f"Ada {message}".rstrip()
    assert git.run("rev-parse", "a-v1.0.0^{commit}") == git.commit()
    with pytest.raises(GitError):
        git.tag_object("a-v1.1.0", "0" * 40, "words", ADA)


def test_index_and_files_follow_and_the_work_of_the_user_stays(git):
    base = git.commit()
    git.run("switch", "--quiet", "--create", "theirs")
    write(git, **{"folder/c": "theirs"})
    git.run("commit", "--quiet", "--all", "--message", "Theirs")
    git.run("switch", "--quiet", "main")
    write(git, a="ours")
    commit = git.commit_object(git.commit("theirs"), ["a"], "Ours on theirs", ADA)
    write(git, b="staged", untracked="untracked")
    git.run("add", "b")
    write(git, **{".gitignore": "unstaged"})
    git.fast_forward(base, commit, ["a"])
    git.update_refs(("main", commit, base), {}, "test")
    assert git.run("status", "--porcelain").splitlines() == [" M .gitignore", "M  b", "?? untracked"]
    assert (git.root / "folder" / "c").read_text() == "theirs"
    assert (git.root / "b").read_text() == "staged"


@pytest.mark.parametrize("how", ["staged", "unstaged", "untracked"])
def test_following_stops_where_the_work_of_the_user_is_in_the_way(git, how):
    base = git.commit()
    git.run("switch", "--quiet", "--create", "theirs")
    write(git, b="theirs", new="theirs")
    git.run("add", "--all")
    git.run("commit", "--quiet", "--message", "Theirs")
    git.run("switch", "--quiet", "main")
    file = "new" if how == "untracked" else "b"
    write(git, **{file: "mine"})
    if how == "staged":
        git.run("add", file)
    write(git, a="released", **{"folder/new": "released"})
    commit = git.commit_object(git.commit("theirs"), ["a", "folder/new"], "Ours on theirs", ADA)
    before = git.run("status", "--porcelain")
    with pytest.raises(GitError):
        git.fast_forward(base, commit, ["a", "folder/new"])
    assert (git.root / file).read_text() == "mine"
    assert git.run("status", "--porcelain") == before


def test_references_move_all_or_none(git):
    first = git.commit()
    commit = git.commit_object(first, [], "Next", ADA)
    tags = {name: git.tag_object(name, commit, "words", ADA) for name in ("a-v1.0.0", "b-v1.0.0")}
    git.run("tag", "b-v1.0.0")
    before = git.run("for-each-ref")
    with pytest.raises(GitError):
        git.update_refs(("main", commit, first), tags, "test")
    assert git.run("for-each-ref") == before
    git.run("tag", "--delete", "b-v1.0.0")
    with pytest.raises(GitError):
        git.update_refs(("main", commit, commit), tags, "test")
    assert git.run("tag", "--list") == ""
    git.update_refs(("main", commit, first), tags, "a reason")
    assert (git.commit(), git.run("tag", "--list").split()) == (commit, ["a-v1.0.0", "b-v1.0.0"])
    assert git.run("reflog", "-1", "--format=%gs") == "a reason"
    git.update_refs(None, {}, "nothing")
