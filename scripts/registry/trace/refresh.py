"""Fetch a living source again: Snakemake alone sees nothing to do, because no local file has changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from registry.config.load import parents
from registry.config.names import rule_of
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.extras import check_installed
from registry.storage.repository import Repository
from registry.storage.tags import releases
from registry.workflow.snakemake import run


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
    cores: str = "all",
    output: IO[str] | None = None,
    say: Callable[[str], None] = print,
) -> Refreshed:
    """Fetch a dataset's living source again, build what changed, and let the run's end release it as configured.

    Snakemake's output goes to this program's own streams, its standard output to `output` if given. Raises
    RegistryError for a source that cannot change by itself, and when the run fails.
    """
    check_installed("snakemake")
    _check(repository, name)
    before = _newest(repository, name)
    rule = rule_of(name)
    command = ["--cores", cores, "--forcerun", f"{rule}_download", "--", rule]
    if run(repository.root, command, say=say, stdout=output):
        raise RegistryError(f"refreshing {name} failed; see above", hint="fix it, and run the same command again")
    after = _newest(repository, name)
    return Refreshed(name, before, after, before != after)


def _newest(repository: Repository, name: str) -> str | None:
    those = releases(repository.git).get(name)
    return str(those[-1].version) if those else None


def _check(repository: Repository, name: str) -> None:
    """Check that a dataset has a living source in use. Raises RegistryError that says what to do instead."""
    path = f"config/datasets/{name}.yaml"
    datasets = repository.committed_datasets("HEAD")
    if name not in datasets:
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
            hint=f"registry refresh {parents(dataset)[0]}, then run snakemake --cores all {rule}",
        )
    if "files" in dataset["sources"]:
        raise RegistryError(
            f"the sources of {name} are fixed: each file is held to its hash, so that asking again brings nothing new",
            hint=f"for a new edition change urls and hashes in {path}; to download again all the same: "
            f"snakemake --cores all --forcerun {rule}_download -- {rule}",
        )
    if dataset["source"] == "samples":
        raise RegistryError(
            f"{name} is built from the committed samples, which change with git alone",
            hint=f"to follow its living source, set source: upstream in {path}, and commit it",
        )
