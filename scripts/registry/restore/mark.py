"""Mark for Snakemake what was restored: which datasets are done as they are here, and which must be built again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from registry.config.load import needed, parents
from registry.config.names import rule_of
from registry.config.pins import pin_of
from registry.errors import RegistryError
from registry.files import SNAKEMAKE_TIMESTAMP
from registry.gate import GateError
from registry.release.assess import SOMEWHERE, check_current, configured
from registry.restore.places import remove
from registry.storage.repository import Repository, read_config
from registry.storage.snapshot import NoReleaseError, Snapshot
from registry.storage.states import NotReady, State
from registry.workflow.snakemake import run_quietly

STALE = "REGISTRY_STALE"
"""Names datasets in the environment, whose rules then carry a fingerprint that no code has (rules/all_rules.smk)."""
PRINTED = 15
"""Lines of a failed snakemake's output that a message shows."""


def mark(
    repository: Repository, snapshots: Sequence[Snapshot], kept: Iterable[str], say: Callable[[str], None]
) -> dict[str, str]:
    """Judge datasets, record with Snakemake what is done and what is not, and return {dataset: why it is built again}.

    Unpublished work that is complete and up to date is Snakemake's own and left alone, and so is what is pinned. What
    is recorded of a dataset is recorded of those that it is made of or refers to, too: they are judged with it.
    """
    datasets = configured(repository)
    outs = {snapshot.dataset: snapshot.outs for snapshot in snapshots}
    made_of = {name: needed(datasets.get(name, {})) for name in outs}
    sources = dict.fromkeys(other for others in made_of.values() for other in others)
    done, stale, reasons = [], [], {}
    for name in dict.fromkeys([*outs, *sources]):
        if pin_of(repository.root, name):
            continue
        restored = name in outs and name not in kept
        try:
            if restored:
                built = _check_restored(repository, name, outs[name])
            elif name in outs:
                built = Snapshot.on_disk(repository.root, name)
            else:
                built = _parent(repository, name)
            _check_raw(repository, built)
            check_current(repository.root, built, datasets)
        except NotReady as judged:
            if name in outs:
                reasons[name] = judged.reason
            if name in outs or judged.state != State.NOT_BUILT:
                stale.append(name)
        else:
            if restored or name in sources:
                done.append(name)
    for name, others in made_of.items():
        again = [other for other in others if other in stale]
        if again and name in outs and name not in reasons and not pin_of(repository.root, name):
            how = "made of" if {*again} <= {*parents(datasets[name])} else "it refers to"
            reasons[name] = f"{how} {', '.join(again)}, which is built again"
    _touch(repository, [name for name in (*done, *stale) if name in datasets], stale, say)
    return reasons


def _parent(repository: Repository, name: str) -> Snapshot:
    """Return a dataset that another is made of; its data need not be here. Raises NotReady."""
    try:
        return Snapshot.on_disk(repository.root, name)
    except NotReady as found:
        if found.state != State.INCOMPLETE:
            raise
        try:
            return replace(Snapshot.checked_out(repository, name), outs={})
        except (NoReleaseError, GateError):
            raise found from None


def _check_restored(repository: Repository, name: str, outs: Mapping[str, str]) -> Snapshot:
    """Return a dataset on disk, whose bytes are those that {path: md5} says. Raises NotReady."""
    built = Snapshot.on_disk(repository.root, name)
    # What is not here, such as raw/, can be made again; what is here must be right.
    wrong = [out for out, md5 in outs.items() if (repository.root / out).exists() and built.outs.get(out) != md5]
    if wrong:
        raise NotReady(State.DAMAGED, f"{wrong[0]} is not what was released", f"run registry pull --force {name}")
    return built


def _check_raw(repository: Repository, built: Snapshot) -> None:
    """Check that the sources that are here are those that the data was made from. Raises NotReady."""
    if (repository.root / built.raw).exists() and built.raw not in built.outs:
        build = f"run snakemake --cores all {rule_of(built.dataset)}"
        raise NotReady(State.OUTDATED, f"{built.raw} is not what it was made from", build)


def _touch(repository: Repository, names: Sequence[str], stale: Sequence[str], say: Callable[[str], None]) -> None:
    """Make Snakemake take these datasets for done as they are here, and those that are `stale` for made by other code.

    Nothing is built and nothing published. Raises RegistryError.
    """
    if not names:
        return
    for name in names:
        for file in (repository.root / "data" / name).rglob(SNAKEMAKE_TIMESTAMP):
            remove(repository.root, file.relative_to(repository.root).as_posix())
    mirror = read_config(repository.root).get("mirror") or SOMEWHERE
    command = ["--touch", "--forceall", "--no-hooks", "--cores", "1", "--config", "publish=false", f"mirror={mirror}"]
    targets = [rule_of(name) for name in names]
    code, printed = run_quietly(repository.root, [*command, "--", *targets], say=say, env={STALE: ",".join(stale)})
    if code:
        lines = printed.splitlines()[-PRINTED:]
        raise RegistryError(
            "restored, but not marked as up to date for Snakemake:\n" + "\n".join(f"    {line}" for line in lines),
            hint="fix that, and run the same command again",
        )
