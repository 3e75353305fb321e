"""The folder that a catalog is written to: what is in it stays, and what is cut short can be run again."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from disk import fill, small_disk
from invariants import one_message
from showcase import Showcase, content


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_files_of_others_stay(small_once, small_site, tmp_path):
    out = tmp_path / "out"
    (out / "datasets").mkdir(parents=True)
    (out / "datasets" / "mine.html").write_text("mine")
    (out / "notes.txt").write_text("notes")
    printed = small_once.registry("catalog", str(out), code=1)
    one_message(printed)
    assert "there are other files than those of a catalog" in printed
    assert content(out) == {"datasets/mine.html": b"mine", "notes.txt": b"notes"}
    for _ in range(2):
        small_once.registry("catalog", str(out), "--force")
        mine = {"datasets/mine.html": b"mine", "notes.txt": b"notes"}
        assert content(out) == content(small_site) | mine


def test_only_what_changed_is_written_again(small_once, small_site, tmp_path):
    clone, out = Showcase(small_once.copied(tmp_path / "registry").folder), tmp_path / "out"
    clone.registry("catalog", str(out))
    assert content(out) == content(small_site)
    before = times(out)
    found = clone.registry_json("catalog", str(out))
    assert found == {"index": str(out / "index.html"), "datasets": 2, "versions": 3, "written": 0}
    again = times(out)
    assert again == before
    os.utime(out / "static" / "vega.min.js", ns=(1, 1))
    clone.git("tag", "--annotate", "--message", "chats 1.1.0\n\nMINOR: none", "chats-v1.1.0", "chats-v1.0.0^{commit}")
    found = clone.registry_json("catalog", str(out))
    after = times(out)
    changed = {path for path in after if after[path] != again.get(path)} - {"static/vega.min.js"}
    drawn = {f"datasets/chats{version}.html" for version in ("", "-v1.0.0", "-v1.1.0")}
    assert changed == {*drawn, "data/chats.js", "index.html", "records/chats.json"}
    assert (after["static/vega.min.js"], found["written"]) == (1, len(changed) - 1)
    clone.git("tag", "--delete", "chats-v1.0.0", "chats-v1.1.0")
    clone.registry("catalog", str(out))
    assert not [path for path in content(out) if "chats" in path]
    assert set(content(out)) < set(content(small_site))


@pytest.mark.parametrize("share", [0.02, 0.4, 0.7, 0.98])
def test_what_was_killed_is_completed(small_once, small_site, tmp_path, share):
    out = tmp_path / "out"
    calls = small_once.calls("catalog", str(tmp_path / "counted"))
    assert small_once.killed(1 + int(share * calls), "catalog", str(out))
    small_once.registry("catalog", str(out))
    assert content(out) == content(small_site)


OTHERS = {
    **{f"{folder}.notes.txt.partial/notes.txt": b"mine" for folder in ("", "pictures/", "records/")},
    **{f"{folder}.mine.html.partial": b"mine" for folder in ("", "datasets/", "records/")},
    "datasets/.chats.html.partial/other.html": b"mine",
    "pictures/mine.jpg": b"mine",
}
"""Files of others that are called much like what a killed catalog leaves."""


@pytest.mark.parametrize(
    "when", ["before:pathlib.Path.write_bytes", "before:pathlib.Path.replace", "after:pathlib.Path.replace"]
)
@pytest.mark.parametrize(("number", "folder"), [(13, "records"), (17, "pictures")])
def test_what_a_killed_one_has_begun_goes(small_once, tmp_path, when, number, folder):
    clone, out = Showcase(small_once.copied(tmp_path / "registry").folder), tmp_path / "out"
    clone.interfered(f"{when}:{number}", command=f"catalog {out}")
    assert [path.parent.name for path in out.rglob(".*.partial")] == [folder]
    for path, one in OTHERS.items():
        (out / path).parent.mkdir(exist_ok=True, parents=True)
        (out / path).write_bytes(one)
    clone.git("tag", "--delete", "pictures-v1.0.0", "pictures-v2.0.0")
    clone.registry("catalog", str(out))
    assert {path.name for path in out.rglob(".*.partial")} == {
        ".notes.txt.partial",
        ".mine.html.partial",
        ".chats.html.partial",
    }
    clone.registry("catalog", str(tmp_path / "alone"))
    assert content(out) == content(tmp_path / "alone") | OTHERS


def test_what_was_killed_while_it_wrote_its_first_file_is_completed(small_once, small_site, tmp_path):
    out = tmp_path / "out"
    command = f"catalog {out}"
    small_once.interfered("before:pathlib.Path.write_bytes:1", command=command)
    assert [path.name for path in out.iterdir()] == [".catalog.json.partial"]
    small_once.registry("catalog", str(out))
    assert content(out) == content(small_site)


def test_two_are_not_written_at_once(small_once, small_site, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    held = os.open(out, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    command = [sys.executable, "-m", "registry", "catalog", str(out)]
    with subprocess.Popen(
        command, cwd=small_once.folder, env=small_once.environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as waiting:
        assert b"another catalog is being written there; waiting for it" in waiting.stderr.readline()
        assert content(out) == {}
        os.close(held)
        waiting.stderr.read()
        assert waiting.wait() == 0
    assert content(out) == content(small_site)


def test_no_space_leaves_the_old_pages(small_once, small_site, tmp_path):
    with small_disk(tmp_path / "disk", 4):
        out = tmp_path / "disk" / "out"
        small_once.registry("catalog", str(out))
        before = content(out)
        changed = (out / "data" / "pictures.js").read_bytes() + b"\n" * 4096
        (out / "data" / "pictures.js").write_bytes(changed)
        record = json.loads((out / "records" / "pictures.json").read_text())
        (out / "records" / "pictures.json").write_text(json.dumps(record | {"key": "another"}))
        filler = fill(tmp_path / "disk", 0)
        printed = small_once.registry("catalog", str(out), code=1)
        one_message(printed)
        assert "no space left on device" in printed
        pages = {path: one for path, one in content(out).items() if path.endswith((".html", ".js"))}
        assert pages == {path: one for path, one in before.items() if path in pages} | {"data/pictures.js": changed}
        filler.unlink()
        small_once.registry("catalog", str(out))
        assert content(out) == content(small_site)


def test_a_folder_that_cannot_be_written_to(small_once, tmp_path):
    with small_disk(tmp_path / "disk", 4):
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "disk"], check=True)
        printed = small_once.registry("catalog", str(tmp_path / "disk" / "out"), code=1)
        one_message(printed)
        assert "read-only file system" in printed


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_what_is_no_folder_is_refused(small_once, tmp_path, force):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for out in (file, link):
        printed = small_once.registry("catalog", str(out), *force, code=1)
        one_message(printed)
        assert "it is no folder" in printed
    assert (file.read_text(), link.is_symlink(), (tmp_path / "nowhere").exists()) == ("mine", True, False)


def test_a_link_in_the_folder_leads_nowhere(small_once, small_site, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    small_once.run("cp", "-a", str(small_site), str(out))
    (out / "datasets").rename(elsewhere)
    (out / "datasets").symlink_to(elsewhere)
    before = times(elsewhere)
    printed = small_once.registry("catalog", str(out), code=1)
    one_message(printed)
    assert "a link on the way to it leads elsewhere" in printed
    assert times(elsewhere) == before


@pytest.mark.parametrize("number", ["0", "x", "-1", "1.5", "", "٣"])
def test_a_number_of_versions_that_is_none(small_once, tmp_path, number):
    printed = small_once.registry("catalog", str(tmp_path / "out"), "--versions", number, code=2)
    assert "write all, or a number from 1 on" in printed
    assert not (tmp_path / "out").exists()


def test_the_newest_versions_alone(small_once, tmp_path):
    assert small_once.registry_json("catalog", str(tmp_path / "out"), "--versions", "1")["versions"] == 2
    page = (tmp_path / "out" / "datasets" / "pictures.html").read_text()
    assert "1 older version is not in this catalog" in page
    assert small_once.registry_json("catalog", str(tmp_path / "out"), "--versions", "all")["versions"] == 3


def test_it_is_served_to_this_machine_alone_until_it_is_stopped(small_once, small_site, tmp_path):
    out = tmp_path / "out"
    small_once.run("cp", "-a", str(small_site), str(out))
    command = [sys.executable, "-m", "registry", "catalog", str(out), "--serve"]
    with subprocess.Popen(
        command, cwd=small_once.folder, env=small_once.environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as server:
        lines = (line.decode() for line in server.stderr)
        address = next(found for line in lines if (found := re.match(r"http://127\.0\.0\.1:(\d+)/", line)))
        port = int(address[1])
        with urllib.request.urlopen(address[0]) as answer:
            assert answer.read() == (out / "index.html").read_bytes()
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert re.findall(rf"^ *\d+: (\w+):{port:04X} \w+:0000 0A", listening, re.MULTILINE) == ["0100007F"]
        server.send_signal(signal.SIGINT)
        said = server.stderr.read().decode()
        assert server.wait() == 130
        assert said == ""
