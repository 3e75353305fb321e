"""Judge what is built: is it complete, and is it made of what is committed."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.config.fingerprint import code_files, fingerprint
from registry.config.load import parents
from registry.config.pins import pin_of
from registry.describe.metadata import metadata_digest
from registry.files import dvc_digest, sealed
from registry.sources.accepted import own_files
from registry.storage.repository import CONFIG, Repository
from registry.storage.snapshot import Snapshot


class NotReady(Exception):  # noqa: N818  it is a state, not a failure
    """A dataset cannot be released as it lies there: its state, why, and what to do."""

    def __init__(self, state: str, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True)
class Built:
    """A complete dataset on disk; `outs` maps what DVC tracks of it (paths in the repository) to its md5."""

    name: str
    snapshot: Snapshot = field(repr=False)
    outs: dict[str, str]

    @property
    def folder(self) -> str:
        """Its folder in the repository."""
        return f"data/{self.name}"


def rule_of(name: str) -> str:
    """Return the name of the rule that asks for all of a dataset."""
    return name.replace("-", "_")


def read_built(root: Path, name: str) -> Built:
    """Read a dataset from disk and check it by content: data, manifest and metadata must be what provenance.json says.

    Raises NotReady with the state `not built`, `incomplete` or `damaged`.
    """
    folder = root / "data" / name
    build = f"run snakemake --cores all {rule_of(name)}"
    try:
        metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        data, expected = provenance["data"]["path"], provenance["data"]["md5"]
        described = {
            "manifest.parquet": provenance["manifest"]["md5"],
            "metadata.json": provenance["metadata"]["sha256"],
        }
        facts = metadata_digest(metadata)
    except FileNotFoundError:
        begun = (folder / "raw").exists() or any(folder.glob("processed*"))
        state, reason = ("incomplete", "not all of it is built") if begun else ("not built", "nothing is built")
        raise NotReady(state, reason, build) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotReady("damaged", "metadata.json or provenance.json is not what a build writes", build) from None
    missing = [path for path in (data, "manifest.parquet") if not (folder / path).exists()]
    if missing:
        raise NotReady("incomplete", f"data/{name}/{missing[0]} is not here", f"run registry pull {name}, or {build}")
    found = dvc_digest(folder / data)
    if found != expected and sealed(folder / data) == found:
        raise NotReady("incomplete", f"data/{name}/{data} was made anew, what describes it was not", build)
    if found != expected:
        raise NotReady(
            "damaged",
            f"data/{name}/{data} is not what was built (its digest is {found}, provenance.json has {expected})",
            f"run registry pull --force {name}, or snakemake --cores all --forcerun data/{name}/{data} -- "
            f"{rule_of(name)}",
        )
    manifest = folder / "manifest.parquet"
    here = {"manifest.parquet": dvc_digest(manifest), "metadata.json": facts}
    changed = [file for file in described if here[file] != described[file]]
    if changed:
        raise NotReady(
            "damaged",
            f"data/{name}/{changed[0]} is not what was built",
            f"run registry pull --force {name}, or snakemake --cores all --forcerun {rule_of(name)}_analyze -- "
            f"{rule_of(name)}",
        )
    outs = {f"data/{name}/{data}": found, f"data/{name}/manifest.parquet": here["manifest.parquet"]}
    if _came_from(folder / "raw", provenance):
        outs[f"data/{name}/raw"] = dvc_digest(folder / "raw")
    return Built(name, Snapshot(name, metadata, provenance, lambda: manifest), outs)


def _came_from(raw: Path, provenance: dict[str, Any]) -> bool:
    """Tell whether raw/ is there and is what the data was made from: a restore does not bring it back by itself."""
    try:
        return json.loads((raw / "sources.json").read_text(encoding="utf-8")) == provenance["source"]
    except (FileNotFoundError, ValueError):
        return False


def config_files(repository: Repository, built: Built) -> list[str]:
    """Return the dataset's own configuration as far as it is there."""
    return [path for path in own_files(built.name, built.snapshot.metadata) if (repository.root / path).is_file()]


def code_paths(repository: Repository, built: Built) -> list[str]:
    """Return the committed files that made the data: its scripts with all that they import, and its rules."""
    scripts = repository.root / "scripts"
    files = {file for script in built.snapshot.provenance["code"] for file in code_files(script, scripts)}
    rules = [
        repository.root / "workflow" / "rules" / f"{name}.smk" for name in (rule_of(built.name), "common", "steps")
    ]
    return sorted(file.relative_to(repository.root).as_posix() for file in (*files, *filter(Path.is_file, rules)))


def differences(recorded: Any, current: Any, path: str = "") -> list[str]:
    """Return where two configurations differ, as `params.n_samples: 2000, not 1000`."""
    if isinstance(recorded, dict) and isinstance(current, dict):
        keys = [*recorded, *(key for key in current if key not in recorded)]
        return [
            line
            for key in keys
            for line in differences(recorded.get(key), current.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if recorded == current else [f"{path}: {json.dumps(recorded)}, not {json.dumps(current)}"]


def up_to_date(repository: Repository, snapshot: Snapshot, datasets: dict[str, Any]) -> None:
    """Check that the configuration and the code of the checkout are those that made a dataset. Raises NotReady."""
    name, provenance = snapshot.dataset, snapshot.provenance
    build = f"run snakemake --cores all {rule_of(name)}"
    if name not in datasets:
        raise NotReady("skipped", f"config/datasets/{name}.yaml is gone", "put it back, or remove its data")
    changed = differences(provenance["config"], datasets[name])
    if changed:
        raise NotReady(
            "skipped",
            f"built with {'; '.join(changed[:3])}",
            f"it was overridden on the command line or changed since: set it in config/, commit {CONFIG}, {build}, "
            "then registry publish",
        )
    try:
        stale = [
            script
            for script, recorded in provenance["code"].items()
            if fingerprint(script, repository.root / "scripts") != recorded
        ]
    except FileNotFoundError as error:
        stale = [Path(error.filename).name]
    if stale:
        raise NotReady("skipped", f"its code changed since it was built ({', '.join(stale)})", build)


def made_of_what_is_committed(repository: Repository, built: Built, base: str) -> None:
    """Check that a checkout of commit `base`, with the dataset's own configuration, would make this data again.

    Raises NotReady with the state `skipped`.
    """
    up_to_date(repository, built.snapshot, repository.committed_datasets(base))
    provenance = built.snapshot.provenance
    paths = code_paths(repository, built)
    made_of = parents(provenance["config"])
    if provenance["source"]["mode"] == "samples" and not made_of:
        paths += ["data/samples/SHA256SUMS", *repository.git.visible(f"data/samples/{built.name}")]
    uncommitted = repository.git.changed(base, paths)
    if uncommitted:
        raise NotReady(
            "skipped",
            f"made by what is not committed: {', '.join(uncommitted[:3])}",
            "git commit (or pull, where others changed it), and run registry publish",
        )
    for other in made_of:
        _made_of(repository, built, other, base)
    staged = repository.git.staged_otherwise("HEAD", config_files(repository, built))
    if staged:
        raise NotReady(
            "skipped",
            f"{staged[0]} is staged in another version than the one that it was built with",
            f"git add {staged[0]}, and run registry publish",
        )


def _made_of(repository: Repository, built: Built, other: str, base: str) -> None:
    """Check of a dataset that another was made of what `made_of_what_is_committed` checks. Raises NotReady."""
    recorded = built.snapshot.provenance["source"]["datasets"]
    try:
        source = read_built(repository.root, other)
        if source.snapshot.content_hash != recorded.get(other):
            raise NotReady("skipped", "it changed since", f"run snakemake --cores all {rule_of(built.name)}")
        if not pin_of(repository.root, other):
            made_of_what_is_committed(repository, source, base)
    except NotReady as state:
        raise NotReady("skipped", f"made of {other}: {state.reason}", state.hint) from None


def contract_passed(built: Built) -> None:
    """Check the verdict that the build recorded. Raises NotReady."""
    if built.snapshot.provenance["contract"].get("passed") is not True:
        raise NotReady(
            "refused", "it did not pass its contract", f"fix it, and run snakemake --cores all {rule_of(built.name)}"
        )
