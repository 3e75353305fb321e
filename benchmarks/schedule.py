"""Measure what a night takes, into schedule.md: python benchmarks/schedule.py. It has a GitHub of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Row, clone, median, run, write_table

sys.path.insert(0, str(ROOT / "tests"))

from fake_github import Api
from support import Server

CORPUS = "opencloudhub-readmes"
SAMPLES = ROOT / "data" / "samples" / CORPUS / "HEAD"
NIGHT = (sys.executable, "-m", "registry", "refresh")
AIM = "aim: 15 s"


def edited(path: Path, old: str, new: str) -> None:
    """Put one text in the place of another."""
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new), encoding="utf-8")


def registry(folder: Path, server: Server) -> Path:
    """Return a registry under git whose READMEs come from this server."""
    clone(folder)
    edited(folder / "config" / "datasets" / f"{CORPUS}.yaml", "https://api.github.com", server.url)
    edited(
        folder / "config" / "datasets" / f"{CORPUS}.yaml", "# A living source", "source: upstream\n# A living source"
    )
    for command in (
        ("init", "--quiet", "--initial-branch", "main"),
        ("add", "--all"),
        ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "--quiet", "--message", "Start"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def main() -> None:
    """Measure nights in which nothing changed, and one README did."""
    server = Server()
    api = Api(server, {path.name: (path / "README.md").read_bytes() for path in sorted(SAMPLES.iterdir())})
    with tempfile.TemporaryDirectory() as place:
        folder = registry(Path(place, "registry"), server)
        env = {"PYTHONPATH": str(folder / "scripts")}
        rows: list[Row] = [("the first night, which builds all from samples", run(*NIGHT, folder=folder, env=env), "")]
        rows.append(("a night in which nothing changed", median(lambda: run(*NIGHT, folder=folder, env=env)), AIM))
        days = iter(range(1, 100))

        def changed() -> object:
            text = f"\n## Day {next(days)}\n\nWhoever is on duty answers within an hour, and says what is wrong.\n"
            api.readme("docs", (SAMPLES / "docs" / "README.md").read_bytes() + text.encode())
            return run(*NIGHT, folder=folder, env=env)

        rows.append(("one README changed: two versions", median(changed), ""))
    server.close()
    write_table("schedule", rows)


if __name__ == "__main__":
    main()
