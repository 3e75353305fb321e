"""Ask the sources of a dataset again: Snakemake alone sees nothing to do, because no local file has changed."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from registry.config.load import Datasets, load_datasets, parents, source_files
from registry.config.names import rule_of
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.files import remove
from registry.sources.accepting import accept_sources
from registry.sources.fetch import KEPT, fetch
from registry.sources.locks import held_to, read_lock
from registry.sources.raw import write_sources
from registry.storage.repository import Repository, read_config
from registry.storage.snapshot import PROVENANCE, Snapshot
from registry.storage.states import NotReady
from registry.storage.tags import releases
from registry.trace.preview import Preview, preview
from registry.workflow.snakemake import alone, run, wait_until_idle


@dataclass(frozen=True)
class Refreshed:
    """What a refresh led to: the newest version before and after (None where there is none), and if it is a new one."""

    dataset: str
    before: str | None
    after: str | None
    released: bool


def refresh(
    repository: Repository,
    name: str,
    *,
    accept: bool = False,
    cores: str = "all",
    output: IO[str] | None = None,
    say: Callable[[str], None] = print,
) -> Refreshed | Preview:
    """Ask a dataset's sources again, build what changed, and what is made of it, and let the run's end release it.

    Files with known hashes are fetched beside what is here, which so stays if they changed at their publisher or in the
    mirror: then what would become of them is returned, unless the new ones are to be accepted from now on. Snakemake's
    output goes to this program's own streams, its standard output to `output` if given. Raises RegistryError for a
    source that cannot change by itself, and when the run fails, too.
    """
    check_installed("snakemake")
    datasets = load_datasets(read_config(repository.root), repository.root)
    _check(repository, name, datasets)
    before = _newest(repository, name)
    if "files" not in datasets[name]["sources"]:
        _build(repository, name, datasets, cores, output, say)
        return _refreshed(repository, name, before)
    with _place(repository.root, name, say) as place:
        now = _fetched_again(repository, datasets[name], place, whatever=accept)
        made_from = _made_from(repository, name)
        if accept:
            _accept(repository, datasets[name], made_from or {}, now, say)
        elif changed := _changed(repository.root, datasets[name], made_from or {}, now):
            return preview(repository, datasets, name, now, changed, place / "build", cores=cores, say=say)
        if {file: its["sha256"] for file, its in now.items()} != made_from:
            _build(repository, name, datasets, cores, output, say)
    return _refreshed(repository, name, before)


def _build(
    repository: Repository,
    name: str,
    datasets: Datasets,
    cores: str,
    output: IO[str] | None,
    say: Callable[[str], None],
) -> None:
    """Fetch the sources of a dataset again, and build it, and what is made of it and is here. Raises RegistryError."""
    made_of_it = [other for other in datasets if name in parents(datasets[other]) and _here(repository, other)]
    command = ["--cores", cores, "--forcerun", f"{rule_of(name)}_download", "--", *map(rule_of, [name, *made_of_it])]
    if run(repository.root, command, say=say, stdout=output):
        failed = f"refreshing {name} failed; see above"
        raise RegistryError(failed, hint="fix it, and run the same command again")


def _refreshed(repository: Repository, name: str, before: str | None) -> Refreshed:
    """Return what a refresh led to, by the newest version before it."""
    after = _newest(repository, name)
    return Refreshed(name, before, after, before != after)


def _newest(repository: Repository, name: str) -> str | None:
    those = releases(repository.git).get(name)
    return str(those[-1].version) if those else None


def _here(repository: Repository, name: str) -> bool:
    """Tell whether a dataset was built here, and is not pinned."""
    return (repository.root / "data" / name / PROVENANCE).is_file() and pin_of(repository.root, name) is None


@contextmanager
def _place(root: Path, name: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Yield an empty folder for what is fetched and built of a dataset before anything here follows it; it goes then.

    What a killed refresh left is removed first, once no Snakemake that it started works there any more.
    """
    place = root / KEPT / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone(place.with_name(f"{name}.lock"), f"another refresh of {name} runs here", say):
        wait_until_idle(place / "build", say)
        remove(place)
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _fetched_again(
    repository: Repository, dataset: Mapping[str, Any], place: Path, *, whatever: bool
) -> dict[str, dict[str, Any]]:
    """Fetch a dataset's source files into raw/ of `place`, and return {file: its sha256 and bytes} of them as they are.

    Of several addresses one is preferred that gives what is accepted, unless `whatever` there is now is asked for.
    """
    root, mode, name = repository.root, dataset["source"], dataset["name"]
    mirror, target = read_config(root)["mirror"], place / "raw"

    def fetched(source: dict[str, Any], accepted: Sequence[str]) -> list[dict[str, Any]]:
        files, lock = [{**source, "sha256": accepted}], place / "lock.yaml"
        return fetch(name, files, mode=mode, mirror=mirror, target=target, lock=lock, root=root)["files"]

    files = []
    for source in source_files(dataset, root):
        has_choice = mode == "upstream" and len(source["urls"]) > 1 and not whatever
        try:
            files += fetched(source, _accepted(root, dataset, source) if has_choice else [])
        except RegistryError:
            if not has_choice:
                raise
            files += fetched(source, [])
    write_sources(target / "sources.json", {"mode": mode, "files": files})
    return {file["file"]: file for file in files}


def _accepted(root: Path, dataset: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    """Return the hashes that a source file is held to; none where it was never downloaded."""
    locked = read_lock(root / "config" / "locks" / f"{dataset['name']}.yaml")
    return held_to(source, locked.get(dataset["source"], {}))


def _changed(
    root: Path, dataset: Mapping[str, Any], made_from: Mapping[str, str], now: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    """Return {file: its sha256 before, and now} of the sources that are not what they are held to."""
    found = {}
    for source in source_files(dataset, root):
        file, accepted = source["file"], _accepted(root, dataset, source)
        if accepted and (sha256 := now[file]["sha256"]) not in accepted:
            found[file] = made_from.get(file, accepted[0]), sha256
    return found


def _accept(
    repository: Repository,
    dataset: Mapping[str, Any],
    before: Mapping[str, str],
    now: Mapping[str, Mapping[str, Any]],
    say: Callable[[str], None],
) -> None:
    """Let a dataset's file accept its sources as they are now, and say which of them changed."""
    for file, its in now.items():
        if (old := before.get(file)) != its["sha256"]:
            say(
                f"{file}: {old or 'nothing'} was what the data here is made of, {its['sha256']} is accepted from now on"
            )
    path = repository.root / "config" / "datasets" / f"{dataset['name']}.yaml"
    accept_sources(path, dataset["source"], now)


def _made_from(repository: Repository, name: str) -> dict[str, str] | None:
    """Return {file: sha256} of the sources that what is built here was made from; None if nothing is."""
    try:
        source = Snapshot.on_disk(repository.root, name, quick=True).provenance["source"]
    except NotReady:
        return None
    return {file["file"]: file["sha256"] for file in source["files"]}


def _check(repository: Repository, name: str, datasets: Datasets) -> None:
    """Check that a dataset has sources which can change by themselves. Raises RegistryError: what to do instead."""
    path = f"config/datasets/{name}.yaml"
    if name not in datasets and name not in datasets.broken:
        raise RegistryError(f"there is no dataset {name}", hint=f"choose from: {', '.join(datasets)}")
    dataset, rule = datasets[name], rule_of(name)
    if pin_of(repository.root, name):
        raise RegistryError(f"{name} is pinned to a version", hint=f"registry unpin {name} removes the pin")
    if "sources" not in dataset:
        raise RegistryError(
            f"{name} is generated from its params: there is no source to ask again",
            hint=f"change params in {path}, and run snakemake --cores all {rule}",
        )
    if parents(dataset):
        raise RegistryError(
            f"{name} is made of {', '.join(parents(dataset))}: it has no source of its own to ask again",
            hint=f"registry refresh {parents(dataset)[0]}",
        )
    if dataset["source"] == "samples":
        raise RegistryError(
            f"{name} is built from the committed samples: snakemake sees by itself when they change",
            hint=f"to follow its source, set source: upstream in {path}, and commit it",
        )
