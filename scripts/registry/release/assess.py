"""Judge what is built: is it complete, is it what was built, is it what this checkout makes, is it released."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.config.fingerprint import code_files, fingerprint
from registry.config.load import SAMPLES, Datasets, check_samples, load_datasets, parents
from registry.config.names import rule_of
from registry.config.pins import pin_of
from registry.describe.metadata import declared_facts
from registry.errors import RegistryError
from registry.shown import some
from registry.sources.accepted import changed_prompt, changed_sources, own_files
from registry.sources.samples import edited_samples
from registry.storage.repository import CONFIG, Repository, read_config
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import Release, taken_back, with_content

SOMEWHERE = "somewhere"
"""Stands for a mirror that only a run needs; where it lies does not show in the data."""


@dataclass(frozen=True)
class Releases:
    """The releases of one dataset, oldest first: `every` one, and those that HEAD contains."""

    repository: Repository
    every: list[Release]
    contained: list[Release]


@dataclass(frozen=True)
class Assessment:
    """How a dataset stands: its state, why, what to do about it, and what is built, where it can be read."""

    dataset: str
    state: State
    reason: str | None = None
    hint: str | None = None
    snapshot: Snapshot | None = field(default=None, repr=False)


def assess(
    root: Path, name: str, datasets: Datasets, *, quick: bool = False, releases: Releases | None = None
) -> Assessment:
    """Judge one dataset of the checkout at `root`, whose configuration is `datasets`.

    `quick` looks at the number and size of its files, and hashes none. Without `releases`, a dataset that is what the
    checkout makes is BUILT; with them it is compared with its newest release first.
    """
    snapshot = pin = None
    try:
        pin = readable_pin(root, name)
        if not pin:
            check_configured(name, datasets)
        snapshot = Snapshot.on_disk(root, name, quick=quick)
        if pin:
            raise NotReady(State.PINNED, f"pinned at {pin['version']}", f"registry unpin {name} removes the pin")
        if releases:
            _check_released(snapshot, releases)
        check_current(root, snapshot, datasets)
    except NotReady as found:
        hint = f"run registry pull {name}" if pin and snapshot is None else found.hint
        if found.state == State.OUTDATED and releases and (latest := releases.contained[-1]).restored:
            hint = (
                f"{latest.version} took back what was released before it, and what stands here may make that again: "
                f"change it first, or registry rollback {name} {latest.version} keeps it from being built"
            )
        return Assessment(name, found.state, found.reason, hint, snapshot)
    return Assessment(name, State.RELEASED if releases else State.BUILT, snapshot=snapshot)


def readable_pin(root: Path, name: str) -> dict[str, Any] | None:
    """Return the pin of a dataset, None where it is not pinned. Raises NotReady for one that nobody can read."""
    try:
        return pin_of(root, name)
    except RegistryError as error:
        raise _broken(error) from None


def _check_released(snapshot: Snapshot, releases: Releases) -> None:
    """Check that what is built is the newest release. Raises NotReady."""
    if releases.every and releases.every[-1] not in releases.contained:
        tag = releases.every[-1].tag
        reason = f"{tag} is released, and this checkout does not contain it"
        raise NotReady(State.BEHIND, reason, "registry follow, then registry pull")
    if not releases.contained:
        if releases.repository.git.commit():
            check_first(releases.repository, snapshot, "HEAD")
        raise NotReady(State.UNRELEASED, "never released", "registry publish")
    latest = releases.contained[-1]
    try:
        before = Snapshot.at(releases.repository, snapshot.dataset, latest.commit, latest.tag)
    except RegistryError as error:
        raise NotReady(State.UNRELEASED, str(error).partition("\n")[0], f"git tag --delete {latest.tag}") from None
    if (declared_facts(before.metadata), before.data_md5) != (declared_facts(snapshot.metadata), snapshot.data_md5):
        withdrawn = taken_back(releases.contained)
        those = [release for release in releases.contained if release.tag in withdrawn]
        if old := with_content(releases.repository, those, snapshot.content_hash):
            reason = f"holds the content of {old.version}, which {withdrawn[old.tag]} took back"
            raise NotReady(State.CHANGED, reason, f"registry pull {snapshot.dataset} brings what is released")
        hint = "registry publish --dry-run shows what it would become"
        raise NotReady(State.CHANGED, f"differs from {latest.version}", hint)


def check_first(repository: Repository, snapshot: Snapshot, base: str) -> None:
    """Check that a dataset of which no release is known has none, which its .dvc files would tell. Raises NotReady."""
    committed = [path for path in repository.git.listed(base, snapshot.folder) if path.endswith(".dvc")]
    if committed:
        raise NotReady(
            State.REFUSED,
            f"{committed[0]} is committed, so that it was released, but no tag of it is known",
            "git fetch --tags brings the tags; if they are gone for good, it begins at 1.0.0 again after: "
            f"git rm --quiet '{snapshot.folder}/*.dvc' && git commit --message 'Begin again'",
        )


def configured(repository: Repository) -> Datasets:
    """Return every dataset as a run without overrides would take it from the working tree."""
    config = read_config(repository.root)
    datasets = load_datasets(config | {"mirror": config.get("mirror") or SOMEWHERE}, repository.root)
    check_samples(datasets, repository.root)
    return datasets


def check_configured(name: str, datasets: Datasets) -> None:
    """Check that a dataset is not one of those whose configuration cannot be used. Raises NotReady."""
    if name in datasets.broken:
        raise _broken(datasets.broken[name])


def _broken(error: RegistryError) -> NotReady:
    return NotReady(State.BROKEN, error.reason, error.hint or "put it right")


def check_current(root: Path, snapshot: Snapshot, datasets: Datasets) -> None:
    """Check that the checkout would make a dataset as it is here: configuration, code, sources. Raises NotReady."""
    name, provenance = snapshot.dataset, snapshot.provenance
    check_configured(name, datasets)
    build = f"run snakemake --cores all {rule_of(name)}"
    if name not in datasets:
        raise NotReady(
            State.OUTDATED, f"config/datasets/{name}.yaml is gone", f"put it back, or registry remove {name}"
        )
    changed = differences(provenance["config"], datasets[name])
    if changed:
        raise NotReady(
            State.OUTDATED,
            f"built with {'; '.join(changed[:3])}",
            f"{build}; what was overridden on the command line has to be set in config/ first, and {CONFIG} committed",
        )
    stale = _stale_scripts(provenance["code"], (root / "scripts").resolve())
    if stale:
        raise NotReady(State.OUTDATED, f"its code changed since it was built ({', '.join(stale)})", build)
    try:
        changed = changed_sources(datasets[name], provenance["source"], root)
        edited = edited_samples(datasets[name], root)
        prompt = changed_prompt(datasets[name], snapshot.metadata, os.environ, root)
    except RegistryError as error:
        raise _broken(error) from None
    if changed:
        raise NotReady(State.OUTDATED, f"its sources changed since it was built ({some(changed, 3)})", build)
    for path, accept in edited.items():
        raise NotReady(State.OUTDATED, f"{path} is not what {SAMPLES}/SHA256SUMS says", accept)
    if prompt:
        raise NotReady(State.OUTDATED, f"its prompt changed since it was built ({prompt})", build)


def _stale_scripts(code: Mapping[str, str], scripts: Path) -> list[str]:
    """Return the scripts whose fingerprint is not the recorded one; the first file that is gone, if one is."""
    try:
        return [script for script, recorded in code.items() if fingerprint(script, scripts) != recorded]
    except FileNotFoundError as error:
        return [Path(error.filename).name]


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


def config_files(repository: Repository, snapshot: Snapshot, base: str) -> list[str]:
    """Return the dataset's own configuration as far as it is there and git does not ignore it."""
    paths = _own_files(repository, snapshot, base)
    visible = repository.git.visible(*paths)
    return [path for path in paths if path in visible]


def _own_files(repository: Repository, snapshot: Snapshot, base: str) -> list[str]:
    """Return where the dataset's own configuration is, as the checkout says: metadata.json may come from others."""
    dataset = repository.committed_datasets(base).get(snapshot.dataset, {})
    return own_files(snapshot.dataset, dataset, os.environ)


def code_paths(repository: Repository, snapshot: Snapshot) -> list[str]:
    """Return the committed files that made the data: its scripts with all that they import, and its rules."""
    scripts = repository.root / "scripts"
    files = {file for script in snapshot.provenance["code"] for file in code_files(script, scripts)}
    rules = repository.root / "workflow" / "rules"
    names = [rules / f"{name}.smk" for name in (rule_of(snapshot.dataset), "common", "steps")]
    return sorted(file.relative_to(repository.root).as_posix() for file in (*files, *filter(Path.is_file, names)))


def check_committed(repository: Repository, snapshot: Snapshot, base: str) -> None:
    """Check that a checkout of commit `base`, with the dataset's own configuration, would make this data again.

    Raises NotReady with the state SKIPPED.
    """
    try:
        check_current(repository.root, snapshot, repository.committed_datasets(base))
    except NotReady as found:
        raise NotReady(State.SKIPPED, found.reason, found.hint) from None
    provenance = snapshot.provenance
    paths = code_paths(repository, snapshot)
    made_of = parents(provenance["config"])
    if provenance["source"]["mode"] == "samples" and not made_of:
        paths += ["data/samples/SHA256SUMS", *repository.git.visible(f"data/samples/{snapshot.dataset}")]
    uncommitted = repository.git.changed(base, paths)
    if uncommitted:
        raise NotReady(
            State.SKIPPED,
            f"made from files that are not committed: {some(uncommitted, 3)}",
            "git commit (or pull, where others changed it), and run registry publish",
        )
    for other in made_of:
        _check_parent(repository, snapshot, other, base)
    own = config_files(repository, snapshot, base)
    ignored = [
        path
        for path in _own_files(repository, snapshot, base)
        if path not in own and (repository.root / path).is_file()
    ]
    if ignored:
        raise NotReady(
            State.SKIPPED,
            f"made from a file that git ignores: {ignored[0]}",
            f"git add --force {ignored[0]}, and run registry publish",
        )
    staged = repository.git.staged_otherwise("HEAD", own)
    if staged:
        raise NotReady(
            State.SKIPPED,
            f"{staged[0]} is staged in another version than the one that it was built with",
            f"git add {staged[0]}, and run registry publish",
        )


def _check_parent(repository: Repository, snapshot: Snapshot, other: str, base: str) -> None:
    """Check of a dataset that another was made of what `check_committed` checks. Raises NotReady."""
    recorded = snapshot.provenance["source"].get("datasets", {})
    try:
        parent = Snapshot.on_disk(repository.root, other)
        if parent.content_hash != recorded.get(other):
            raise NotReady(State.SKIPPED, "it changed since", f"run snakemake --cores all {rule_of(snapshot.dataset)}")
        if not readable_pin(repository.root, other):
            check_committed(repository, parent, base)
    except NotReady as found:
        raise NotReady(State.SKIPPED, f"made of {other}: {found.reason}", found.hint) from None


def check_contract(snapshot: Snapshot) -> None:
    """Check the verdict that the build recorded. Raises NotReady."""
    if snapshot.provenance["contract"].get("passed") is not True:
        rule = rule_of(snapshot.dataset)
        raise NotReady(State.REFUSED, "it did not pass its contract", f"fix it, and run snakemake --cores all {rule}")
