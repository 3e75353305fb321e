"""A registry of two tiny datasets, built in milliseconds without Snakemake, so that many releases can be made."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import yaml

from clone import Clone, under_git
from project import copy_repository
from registry.config.fingerprint import _content, fingerprint
from registry.config.load import load_datasets, normalise, read_yaml
from registry.describe.description import Description
from registry.describe.manifest import row_keys, write_manifest
from registry.describe.metadata import metadata_of, write_metadata
from registry.describe.profile import Profile
from registry.describe.provenance import write_provenance
from registry.files import atomic_folder, dvc_digest, seal, write_json
from registry.formats.tables import only_batch
from s3 import Identity, S3Server

FILES = {"letters": 1, "numbers": 3}
"""The datasets, and of how many files each is made."""
SCRIPT = "tiny/build.py"


class Tiny(Clone):
    """A registry with the datasets `letters` and `numbers`; `variables` are in every command's environment."""

    def __init__(self, folder: Path, variables: dict[str, str] | None = None) -> None:
        super().__init__(folder)
        self.variables = variables or {}

    def environment(self, **extra: str) -> dict[str, str]:
        # DVC's notes about this folder would otherwise outlive it.
        site = {"DVC_SITE_CACHE_DIR": str(self.folder.parent / ".site-cache")}
        return super().environment(**(site | self.variables | extra))

    def build(
        self, name: str, rows: int, seed: int = 0, run: dict[str, str] | None = None, *, profile: bool = False
    ) -> str:
        """Build a dataset as a run would: `rows` numbers that start at `seed`. Return the digest of its data.

        `run` is what its provenance says of the run; without `profile`, its metadata is as it was before profiles.

        More rows continue the same numbers. All rows but the last file's stay in files that do not change.
        """
        self.configure(name, rows=rows, seed=seed)
        for cached in (_content, fingerprint):
            cached.cache_clear()
        config = normalise(read_yaml(self.folder / "config" / "config.yaml"))
        dataset = load_datasets(config, self.folder)[name]
        folder, table = self.folder / "data" / name, pl.DataFrame({"value": range(seed, seed + rows)})
        (folder / "raw").mkdir(parents=True, exist_ok=True)
        table.write_csv(folder / "raw" / "values.csv")
        write_json(folder / "raw" / "sources.json", {"mode": "generated", "files": []})
        with atomic_folder(folder / "processed") as partial:
            for number in range(FILES[name] - 1):
                table.slice(number, 1).write_parquet(partial / f"part-{number}.parquet")
            table.slice(FILES[name] - 1).write_parquet(partial / "rest.parquet")
        seal(folder / "processed")
        schema = pq.read_schema(folder / "processed" / "rest.parquet")
        with write_manifest(folder / "manifest.parquet", dataset, schema) as manifest:
            about = Description(schema, manifest, Profile(schema))
            about.add("all", only_batch(table, schema), inputs=["value"], keys=row_keys("values.csv", 0, rows))
            facts = {"summary": {"num_samples": rows}} | (about.counted() if profile else {})
            metadata = metadata_of(dataset, manifest, **facts)
            if profile:
                manifest.check_figures(metadata, about.profile.examples)
        write_metadata(folder / "metadata.json", metadata)
        write_provenance(
            folder / "provenance.json",
            dataset,
            manifest,
            metadata,
            data=folder / "processed",
            sources=folder / "raw" / "sources.json",
            code={SCRIPT: fingerprint(SCRIPT, self.folder / "scripts")},
            run=run,
            scripts=self.folder / "scripts",
        )
        return dvc_digest(folder / "processed")

    def restored(self, name: str) -> None:
        """Build a dataset again as its configuration says: what a pull or a run makes of a checkout."""
        self.build(name, **yaml.safe_load((self.folder / f"config/datasets/{name}.yaml").read_text())["params"])

    def with_origin(self, folder: Path) -> "Tiny":
        """Make a bare repository the origin, with release.push on."""
        self.edit("config/config.yaml", "push: false", "push: true")
        self.commit("Push releases")
        self.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", str(folder))
        self.git("remote", "add", "origin", str(folder))
        self.git("push", "--quiet", "--set-upstream", "origin", "main")
        return self

    def with_s3(self, server: S3Server, prefix: str, identity: Identity | None = None) -> "Tiny":
        """Make a folder of the server's first bucket the default remote, and become an identity."""
        self.write(
            ".dvc/config",
            "[core]\n    analytics = false\n    remote = team\n"
            f"['remote \"team\"']\n    url = s3://{server.buckets[0]}/{prefix}\n    endpointurl = {server.url}\n",
        )
        self.commit("Keep data on S3")
        self.variables |= server.environment(identity or server.admin)
        return self

    def elsewhere(self, folder: Path) -> "Tiny":
        """Return a clone of the origin, or of this repository."""
        origin = self.git("remote", "get-url", "origin") if self.git("remote") else str(self.folder)
        self.run("git", "clone", "--quiet", origin, str(folder))
        clone = Tiny(folder, dict(self.variables))
        clone.sign()
        return clone

    def copied(self, folder: Path) -> "Tiny":
        """Return a byte-for-byte copy."""
        return Tiny(super().copied(folder).folder, dict(self.variables))


def make_tiny(folder: Path) -> Tiny:
    """Make a registry in which nothing was built or released so far."""
    return Tiny(Path(_first().name, "registry")).copied(folder)


@functools.cache
def _first() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of the first one, of which all others are copies."""
    scratch = tempfile.TemporaryDirectory(prefix="tiny-")
    clone = Tiny(Path(scratch.name, "registry"))
    copy_repository(clone.folder, "config/datasets/", "data/", "envs/", "docs/", "benchmarks/")
    clone.write(
        ".dvc/config", "[core]\n    analytics = false\n    remote = local\n['remote \"local\"']\n    url = storage\n"
    )
    clone.write(f"scripts/{SCRIPT}", '"""Stands for the code that builds the tiny datasets."""\n')
    for name in FILES:
        clone.write(f"config/datasets/{name}.yaml", yaml.safe_dump(_config(name), sort_keys=False))
    clone.write("notes.txt", "first\n")
    clone.write("staged.txt", "first\n")
    under_git(clone)
    return scratch


def _config(name: str) -> dict[str, Any]:
    return {
        "about": {"title": name, "description": f"Some {name}", "license": "Apache-2.0"},
        "params": {"rows": 10, "seed": 0},
        "contract": {"columns": {"value": {"dtype": "int64"}}, "rows": {"generated": {"all": {"min": 1}}}},
    }
