"""A registry that a schedule runs every night, on real servers of git, S3 and PostgreSQL."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clone import Clone
from fake_github import Api
from postgres import Database
from s3 import S3Server
from support import ROOT

CORPUS, EMBEDDINGS = "opencloudhub-readmes", "opencloudhub-readmes-embeddings"
NAMES = [CORPUS, EMBEDDINGS, f"{CORPUS}-rag-evaluation", "tabular"]
SAMPLES = ROOT / "data" / "samples" / CORPUS / "HEAD"
FIRST = sorted(f"{name}-v1.0.0" for name in NAMES)
NIGHT = ("refresh", "--cores", "2")


@dataclass
class World:
    """A checkout whose READMEs come from a GitHub, and which releases to an origin, an S3 server and a database."""

    clone: Clone
    origin: Path
    api: Api
    store: S3Server
    database: Database

    def environment(self, **extra: str) -> dict[str, str]:
        """Return what the schedule gives its command."""
        return self.store.environment(self.store.admin) | self.database.environment() | extra

    def night(self, code: int | None = 0, **extra: str) -> str:
        """Run the command of every night, and return what it printed."""
        return self.clone.registry(*NIGHT, code=code, **self.environment(**extra))

    def start(self, *command: str, clone: Clone | None = None) -> subprocess.Popen:
        """Start a command of `registry` in a session of its own, as a scheduler would."""
        clone = clone or self.clone
        return subprocess.Popen(
            [sys.executable, "-m", "registry", *(command or NIGHT)],
            cwd=clone.folder,
            env=clone.environment(**self.environment()),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def record(self) -> dict:
        """Return what logs/run.json says."""
        return json.loads((self.clone.folder / "logs" / "run.json").read_text(encoding="utf-8"))

    def tags(self) -> list[str]:
        """Return the tags that origin has."""
        return self.clone.git("--git-dir", str(self.origin), "tag", "--list").split()

    def tip(self) -> str:
        """Return the commit that origin's branch is at."""
        return self.clone.git("--git-dir", str(self.origin), "rev-parse", "main")

    def objects(self) -> dict[str, str]:
        """Return {key: when it was written} of the store."""
        listed = self.store.client().list_objects_v2(Bucket="registry").get("Contents", [])
        return {one["Key"]: str(one["LastModified"]) for one in listed}

    def change(self, who: str = "Whoever is on duty") -> None:
        """Let a README say something new."""
        more = f"\n## At night\n\n{who} answers within an hour, and says what is wrong, and who mends it, and when.\n"
        self.api.readme("docs", (SAMPLES / "docs" / "README.md").read_bytes() + more.encode())

    def check_all_is_released(self) -> None:
        """Check that the changed corpus, and what is made of it, is released once, loaded, and here as it is there."""
        assert self.tags() == sorted([*FIRST, f"{CORPUS}-v1.1.0", f"{EMBEDDINGS}-v1.1.0"])
        states = {row["dataset"]: row["state"] for row in self.clone.registry_json("status")}
        assert {name: states[name] for name in NAMES} == dict.fromkeys(NAMES, "released")
        assert [tag for tag, _ in self.database.serves()] == [f"{EMBEDDINGS}-v1.1.0"]
        assert self.clone.head() == self.tip()
