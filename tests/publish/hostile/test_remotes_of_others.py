"""What the .dvc/config behind a tag could do to whoever reads its data, and what an address gives away."""

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from forging import forge
from registry.errors import RegistryError
from registry.storage.elsewhere import list_tags
from tiny import Tiny

RUNS = "[{}]\ncredential_process = sh -c 'touch {}; exit 1'\n"


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody whose home, cache and temporary files are here, and who has keys for S3."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "REGISTRY_CACHE": str(tmp_path / "cache"),
        "AWS_ACCESS_KEY_ID": "the-key-of-ada",
        "AWS_SECRET_ACCESS_KEY": "the-secret-of-ada",
    }


def configured(clone: Tiny, remote: str, core: str = "") -> None:
    """Make letters-v9.0.0, whose .dvc/config has these settings of its default remote."""
    config = f"[core]\n    remote = evil\n{core}\n['remote \"evil\"']\n{remote}\n"
    forge(clone, "letters-v9.0.0", "letters-v1.1.0", lambda files: files.update({".dvc/config": config.encode()}))


def store(clone: Tiny) -> Path:
    return clone.folder / ".dvc" / "storage"


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("checked_out", [False, True])
@pytest.mark.parametrize("setting", ["configpath", "credentialpath"])
def test_no_command_of_the_configuration_runs(setting, checked_out, clone, user, tmp_path):
    ran, config = tmp_path / "ran", tmp_path / "config of aws"
    config.write_text(RUNS.format("evil" if setting == "credentialpath" else "profile evil", ran))
    remote = f"url = s3://bucket/x\nendpointurl = http://127.0.0.1:9\nprofile = evil\n{setting} = {config}"
    configured(clone, remote)
    if checked_out:
        clone.git("reset", "--quiet", "--hard", "letters-v9.0.0")
    user = {name: value for name, value in user.items() if not name.startswith("AWS_")}
    printed = clone.registry("get", f"{'' if checked_out else 'file://'}{clone.folder}", "letters", code=1, **user)
    assert not ran.exists()
    assert f"remote evil: its .dvc/config sets {setting}, profile, which is not taken" in printed


@pytest.mark.parametrize("file", ["config", "config.local"])
def test_nor_one_of_the_checkout_that_was_cloned(file, clone, user, tmp_path):
    ran, config = tmp_path / "ran", tmp_path / "config of aws"
    config.write_text(RUNS.format("profile evil", ran))
    remote = f"url = s3://bucket/x\nendpointurl = http://127.0.0.1:9\nprofile = evil\nconfigpath = {config}"
    clone.write(f".dvc/{file}", f"[core]\n    remote = evil\n['remote \"evil\"']\n{remote}\n")
    cloned = clone.cloned(tmp_path / "cloned")
    user = {name: value for name, value in user.items() if not name.startswith("AWS_")}
    printed = cloned.registry("pull", "letters", code=1, **user)
    assert not ran.exists()
    assert "remote evil: its .dvc/config sets configpath, profile, which is not taken" in printed


def test_an_address_that_git_would_wait_at_is_refused(clone, user):
    printed = clone.registry("list", "fd::0", code=1, **user)
    assert "fd::0: git cannot read it: fatal: transport 'fd' not allowed" in printed


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("url = http://127.0.0.1:9/x\nauth = basic\nuser = git\nask_password = true", "ask_password, auth, user"),
        ("url = http://127.0.0.1:9/x\ncustom_auth_header = X\npassword = y", "custom_auth_header, password"),
        ("url = https://127.0.0.1:9/x\nssl_verify = /etc/passwd", "ssl_verify"),
        ("url = s3://bucket/x\nssl_verify = /etc/passwd", "ssl_verify"),
        ("url = s3://bucket/x\nversion_aware = true", "version_aware"),
        ("url = s3://bucket/x\nunknown = 1", "unknown"),
        ("url = ssh://127.0.0.1/x\nkeyfile = ~/.ssh/id_rsa", "keyfile"),
        ("url = ssh://127.0.0.1/x\nASK_PASSPHRASE = true", "ask_passphrase"),
        ("url = s3://bucket/x, s3://bucket/y", "url"),
        ("url = remote://work/x", "scheme remote"),
        ("url = webdavs://host/x\nbearer_token_command = touch x", "scheme webdavs"),
        ("url = gdrive://x", "scheme gdrive"),
        ("url = memory://x", "scheme memory"),
        ("url = http://[::1", "Invalid IPv6 URL"),
        ("endpointurl = http://127.0.0.1:9", "endpointurl"),
        ("[[url]]\nx = y", "url"),
        ("]", "cannot be read as a configuration of DVC"),
        ("x = 1\n" + "[" * 2000, "cannot be read as a configuration of DVC"),
    ],
)
def test_settings_that_would_matter_are_refused_by_name(settings, named, clone, user):
    configured(clone, settings)
    printed = clone.registry("get", ".", "letters", code=1, **user)
    assert named in printed
    assert "Enter a password" not in printed
    assert "Traceback" not in printed
    assert printed.count("error:") == 1


def test_settings_about_writing_and_speed_are_left_out(clone, user):
    configured(clone, f"url = {store(clone)}\njobs = 2\nslow_link_warning = false\nType = symlink")
    assert clone.registry("get", f"file://{clone.folder}", "letters", **user) == "letters-v9.0.0/processed\n"


def test_nothing_else_of_the_configuration_is_followed(clone, user, tmp_path):
    elsewhere = tmp_path / "anywhere"
    core = f"site_cache_dir = {elsewhere}\nhardlink_lock = true\n[cache]\ndir = {elsewhere}"
    configured(clone, f"url = {store(clone)}", core)
    clone.registry("get", f"file://{clone.folder}", "letters", **user)
    clone.registry("get", str(clone.folder), "letters", "--out", "again", "--cache", "other", **user)
    assert not elsewhere.exists()


@pytest.mark.parametrize("works", [True, False])
def test_no_clone_stays(works, clone, user, tmp_path):
    configured(clone, f"url = {store(clone) if works else tmp_path / 'nothing'}")
    clone.registry("get", f"file://{clone.folder}", "letters", code=0 if works else 1, **user)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_server_that_is_named_gets_no_secret(clone, user):
    """It is told who asks, as every S3 server is: docs/consumers.md says so."""
    seen = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(str(self.headers))
            self.send_error(403)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with serving(Server) as address:
        configured(clone, f"url = s3://bucket/x\nendpointurl = http://{address}\nregion = here")
        printed = clone.registry("get", f"file://{clone.folder}", "letters", code=1, **user)
    assert "the-secret-of-ada" not in printed + "".join(seen)
    assert "Credential=the-key-of-ada/" in "".join(seen)


def test_the_users_own_configuration_counts(clone, user, tmp_path):
    configured(clone, "url = storage\nprofile = evil")
    mine = tmp_path / "home" / ".config" / "dvc" / "config"
    mine.parent.mkdir(parents=True)
    mine.write_text(f"['remote \"evil\"']\n    profile = mine\n['remote \"mine\"']\n    url = {store(clone)}\n")
    user |= {"XDG_CONFIG_HOME": str(tmp_path / "home" / ".config")}
    clone.registry("get", f"file://{clone.folder}", "letters", "--remote", "mine", **user)
    printed = clone.registry("get", f"file://{clone.folder}", "letters", "--out", "x", "--cache", "y", code=1, **user)
    assert "its data is in storage" in printed
    printed = clone.registry(
        "get", f"file://{clone.folder}", "letters", "--remote", "nope", "--out", "z", "--cache", "y", code=1, **user
    )
    assert "there is no remote nope" in printed
    assert "choose from: evil, mine" in printed


def test_a_folder_beside_a_repository_is_found_where_that_is_checked_out(clone, user):
    for address in (str(clone.folder), str(clone.folder / ".git"), "."):
        clone.registry("get", address, "letters", "--out", f"from {len(address)}", **user)
    printed = clone.registry(
        "get", f"file://{clone.folder}", "letters", "--out", "x", "--cache", "other", code=1, **user
    )
    assert "its data is in storage, a folder beside it" in printed


def test_a_checkout_may_have_another_address_for_a_remote(clone, user):
    store(clone).rename(clone.folder / "moved")
    clone.write(".dvc/config.local", f"['remote \"local\"']\n    url = {clone.folder / 'moved'}\n")
    clone.registry("get", ".", "letters", **user)


@contextmanager
def asking_for_a_password(folder: Path, seen: list[str]) -> Iterator[str]:
    """Serve a folder to ada, whose password is `hunter2@`; in `seen` is what other users see while it is asked for."""

    class Server(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))

        def do_GET(self) -> None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(path.read_text(errors="replace").replace("\0", " "))
                except OSError:
                    continue
            expected = base64.b64encode(b"ada:hunter2@").decode()
            if self.headers.get("Authorization") == f"Basic {expected}":
                super().do_GET()
            else:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with serving(Server) as address:
        yield address


def test_nobody_else_sees_the_password_of_an_address(clone, user):
    clone.git("update-server-info")
    seen: list[str] = []
    before = os.environ.get("GIT_CONFIG_COUNT")
    with asking_for_a_password(clone.folder / ".git", seen) as address:
        # Past the password, git says that such a simple server does not give single tags.
        with pytest.raises(RegistryError, match="dumb http transport"):
            list_tags(f"http://ada:hunter2%40@{address}/")
        printed = clone.registry("list", f"http://ada:wrong-one@{address}/", code=1, **user)
    assert os.environ.get("GIT_CONFIG_COUNT") == before
    git = [line for line in seen if "git-remote-http" in line or "ls-remote" in line]
    assert git
    assert not [line for line in git if "hunter2" in line or "ada" in line]
    assert "wrong-one" not in printed
    assert not [line for line in git if "wrong-one" in line]
