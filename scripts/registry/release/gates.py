"""Hold what is built against what was released: all that `contract.quality` asks for at a release."""

from collections.abc import Callable, Mapping, Sequence

from registry.gate import GateError
from registry.release.drifted import check_drift
from registry.release.older import check_older
from registry.storage.repository import Repository
from registry.storage.snapshot import Snapshot
from registry.storage.states import NotReady, State
from registry.storage.tags import Release


def check_gates(
    repository: Repository,
    built: Snapshot,
    before: Snapshot | None,
    contained: Mapping[str, Sequence[Release]],
    aliases: Sequence[str],
) -> list[str]:
    """Return what is to be warned of, a line each.

    `before` is the release that drift is told from, if there is one; `contained` and `aliases` as for check_older.
    Raises one NotReady that says all that refuses the release.
    """
    gates: list[Callable[[], list[str]]] = [
        lambda: check_drift(before, built) if before else [],
        lambda: check_older(repository, built, contained, aliases),
    ]
    warnings: list[str] = []
    refused: list[NotReady] = []
    for gate in gates:
        try:
            warnings += gate()
        except NotReady as state:
            refused.append(state)
        except GateError as error:
            refused.append(incomparable(before.name, error))
    if refused:
        # Rows can be shown beside those of one release.
        shown = max(refused, key=lambda state: len(state.alike))
        reasons, hints = ("; ".join(getattr(state, of) for state in refused) for of in ("reason", "hint"))
        raise NotReady(State.REFUSED, reasons, hints, against=shown.against, alike=shown.alike)
    return warnings


def incomparable(tag: str, error: GateError) -> NotReady:
    """Return why what is built cannot be held against a release."""
    reason = f"it cannot be compared with {tag}: {str(error).splitlines()[0]}"
    return NotReady(State.REFUSED, reason, f"if nobody relies on it: git tag --delete {tag}")


def former_release(contained: Mapping[str, Sequence[Release]], aliases: Sequence[str]) -> Release | None:
    """Return the newest release of a dataset under a former name, which is an alias now; None where there is none."""
    found = [contained[alias][-1] for alias in aliases if contained.get(alias)]
    return max(found, key=lambda release: release.version, default=None)
