"""Release what is built: data to a DVC remote, one commit, one annotated tag per dataset that changed.

Run it as often as you like: what is released stays, what was interrupted is completed, the same data makes nothing.
    1  the contract's recorded verdict is checked
    2  data goes into DVC's cache
    3  and to the remote
    4  a commit is made as an object; with `push`, origin is offered it together with the tags
    5  branch and tags appear in one transaction
Until the last step nobody sees a release, and by then its data can be fetched.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from registry.cards.write import own_files, write_cards
from registry.compare.semver import Level
from registry.errors import RegistryError
from registry.gate import GateError, checked_inside
from registry.release.aliases import alias_tags, lacking
from registry.release.lineage import parents_first, put_back
from registry.release.pending import read_pending
from registry.release.plan import Outcome, Plan, decide
from registry.release.record import Base, blocked, record, retry_on_conflict
from registry.storage.remotes import release_remote, way_to
from registry.storage.repository import Repository
from registry.storage.snapshot import CARD, NoReleaseError, Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import TAG, numbers, releases, tag_message

UNKNOWN = "unknown"
"""The licence of data of which nobody said which it has."""
NAMED = 3
"""As many datasets fit into the first line of a commit's message."""


@dataclass(frozen=True)
class Publication:
    """What one call of publish did.

    `aliases` are the tags {tag: the release that it stands for} that releases got under other names,
    `uncommitted_aliases` the files whose other names wait until they are committed. `skipped` says why
    nothing can be released from here at all, `waiting` what an earlier command left half done, which a dry run does not
    complete.
    """

    outcomes: list[Outcome]
    remote: str | None = None
    commit: str | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    uncommitted_aliases: list[str] = field(default_factory=list)
    dry_run: bool = False
    skipped: str | None = None
    hint: str | None = None
    waiting: str | None = None


def publish(
    repository: Repository,
    datasets: Sequence[str] = (),
    *,
    dry_run: bool = False,
    bump: Level | None = None,
    say: Callable[[str], None] = print,
) -> Publication:
    """Release the complete datasets that changed: those named, else all.

    `bump` raises the number, `say` takes lines about waiting and unknown licences. Raises RegistryError.
    """
    reason_not = blocked(repository)
    if reason_not:
        return Publication([], dry_run=dry_run, skipped=reason_not[0], hint=reason_not[1])
    unknown = sorted(set(datasets) - set(repository.names()))
    if unknown:
        raise RegistryError(
            f"there is no dataset {', '.join(unknown)}", hint=f"choose from: {', '.join(repository.names())}"
        )
    names = list(dict.fromkeys(datasets)) or repository.names()
    return retry_on_conflict(
        repository, lambda base: _publish(repository, base, names, dry_run, bump, say), say, dry_run=dry_run
    )


def _publish(
    repository: Repository,
    base: Base,
    names: Sequence[str],
    dry_run: bool,
    bump: Level | None,
    say: Callable[[str], None],
) -> Publication:
    every, contained = releases(repository.git), releases(repository.git, merged=base.head)
    known = numbers(repository.git)
    plans: list[Plan] = []
    outcomes: list[Outcome] = []
    planned: dict[str, tuple[str, str]] = {}
    for name in parents_first(repository.root, names):
        try:
            with put_back(repository, name) if dry_run else nullcontext():
                plan = decide(repository, name, base, every, contained, known, planned, bump)
        except NotReady as state:
            against = TAG.fullmatch(state.against) if state.against else None
            outcomes.append(
                Outcome(
                    name,
                    state.state,
                    previous=against["version"] if against and against["dataset"] == name else None,
                    reasons=[state.reason],
                    hint=state.hint,
                    against=state.against,
                    alike=state.alike,
                )
            )
            continue
        outcomes.append(plan.outcome)
        if plan.outcome.state in (State.RELEASED, State.RECORDED):
            plans.append(plan)
        if plan.outcome.state == State.RELEASED:
            planned[name] = plan.outcome.tag, plan.built.content_hash
            if plan.built.metadata["dataset"]["license"] == UNKNOWN:
                say(f"{name}: its licence is unknown; write it into config/datasets/{name}.yaml, about.license")
    outcomes.sort(key=lambda outcome: names.index(outcome.dataset))
    plans.sort(key=lambda plan: names.index(plan.outcome.dataset))
    others = repository.committed_datasets(base.commit).aliases
    newest = {name: those[-1] for name, those in contained.items() if those[-1] == every[name][-1]}
    descriptions = {name: f"config/datasets/{name}.yaml" for name in names if name not in planned}
    uncommitted = repository.git.changed(base.commit, descriptions.values())
    committed = [name for name, path in descriptions.items() if path not in uncommitted]
    aliases = lacking(repository, committed, newest, others, known)
    unnamed = lacking(repository, [name for name in descriptions if name not in committed], newest, others, known)
    waiting_for = sorted({f"config/datasets/{TAG.fullmatch(tag)['dataset']}.yaml" for tag in unnamed.values()})
    for name, (tag, _) in planned.items():
        aliases |= alias_tags(tag, others.get(name, []))
    remote = release_remote(repository, base.commit)
    way = way_to(repository, remote, base.commit) if plans else remote
    if dry_run:
        pending = read_pending(repository.git)
        waiting = pending.what if pending and not pending.visible else None
        return Publication(
            outcomes, remote, aliases=aliases, uncommitted_aliases=waiting_for, dry_run=True, waiting=waiting
        )
    if not plans and not aliases:
        return Publication(outcomes, remote, uncommitted_aliases=waiting_for)
    if plans:
        _store(repository, plans, way)
    for path in [path for plan in plans for path in plan.outdated]:
        checked_inside(repository.root, path).unlink(missing_ok=True)
    released = [plan for plan in plans if plan.outcome.state == State.RELEASED]
    own = _write_cards(repository, base, released, say)
    files = [file for plan in plans for file in plan.outcome.files if file not in own]
    tags = {plan.outcome.tag: _tag_message(plan) for plan in released}
    commit = record(
        repository,
        base,
        files,
        _commit_message(plans),
        tags,
        aliases=aliases,
        check=lambda made: _as_planned(repository, made, plans),
    )
    return Publication(outcomes, remote, commit if plans else None, aliases, waiting_for)


def _store(repository: Repository, plans: list[Plan], remote: str) -> None:
    """Put the data of these datasets into the cache and the remote."""
    outs = {out: md5 for plan in plans for out, md5 in plan.built.outs.items()}
    stored = repository.store.add(outs)
    moved = [out for out, md5 in outs.items() if stored[out] != md5]
    if moved:
        raise RegistryError("changed while it was being released", where=moved[0], hint="run registry publish again")
    repository.store.push(stored.values(), remote)


def _write_cards(repository: Repository, base: Base, plans: Sequence[Plan], say: Callable[[str], None]) -> set[str]:
    """Write the cards of what is about to be released; return the places where the user has a text of her own."""
    own = set()
    for plan in plans:
        built, outcome = plan.built, plan.outcome
        its = own_files(repository, built, base.head)
        for path in its:
            card = f"; config/datasets/{built.dataset}.md would be a part of each card" if path.endswith(CARD) else ""
            say(f"{path} is your own, and stays{card}")
        reasons = [*outcome.reasons, *map("warning: {}".format, outcome.warnings)]
        write_cards(repository, built, outcome.version, outcome.tag, reasons, own=its, say=say)
        own |= {*its}
    return own


def _as_planned(repository: Repository, commit: str, plans: list[Plan]) -> None:
    """Check that a commit describes the data that was stored, though others may write here. Raises RegistryError."""
    for built in (plan.built for plan in plans):
        try:
            made = Snapshot.at(repository, built.dataset, commit)
            same = (made.metadata, made.provenance) == (built.metadata, built.provenance)
        except (NoReleaseError, GateError):
            same = False
        if not (same and built.outs.items() <= made.outs.items()):
            raise RegistryError(
                "changed while it was being released", where=built.folder, hint="run registry publish again"
            )


def _commit_message(plans: list[Plan]) -> str:
    released = [
        f"{plan.outcome.dataset} {plan.outcome.version}" for plan in plans if plan.outcome.state == State.RELEASED
    ]
    names = ", ".join(plan.outcome.dataset for plan in plans)
    if len(released) > NAMED:
        subject = f"Release {len(released)} datasets"
    else:
        subject = f"Release {', '.join(released)}" if released else f"Record how {names} came to be"
    return f"{subject}\n\n" + "\n".join(_entry(plan.outcome) for plan in plans) + "\n"


def _entry(outcome: Outcome) -> str:
    lines = [f"- {reason}" for reason in outcome.reasons] + [f"- warning: {line}" for line in outcome.warnings]
    return "\n".join([f"{outcome.dataset} {outcome.version or ''}".rstrip() + ":", *lines])


def _tag_message(plan: Plan) -> str:
    changes = [f"{change.level.name}: {change.reason}" for change in plan.changes] or plan.outcome.reasons
    return tag_message(plan.outcome.version, changes, plan.built)
