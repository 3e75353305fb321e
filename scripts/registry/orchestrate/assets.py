"""Every dataset as an asset, and the one step that builds those that are selected, by one `registry run`."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from registry.config.load import source_files
from registry.config.names import rule_of
from registry.errors import RegistryError
from registry.orchestrate.checkout import Checkout
from registry.orchestrate.contract import breaches_by_check, checks_of
from registry.orchestrate.described import metadata_of
from registry.orchestrate.run import build
from registry.orchestrate.versions import SEEN, code_version, event_tags, seen
from registry.shown import one_line, shown
from registry.storage.snapshot import Snapshot
from registry.workflow.failures import FailedJob
from registry.workflow.verdict import FAILED, exit_code, held_back, remarks

Told = dg.AssetMaterialization | dg.AssetCheckEvaluation
GROUP, SOURCES = "datasets", "sources"
AGE = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
ADDRESS = re.compile(r"<([^<>\s@]+@[^<>\s@]+)>$")
"""The address in `Name <address>`."""


def source_keys(checkout: Checkout, name: str) -> dict[str, dict[str, Any]]:
    """Return {key of a source of a dataset, as Dagster writes it: what is known of that}."""
    dataset = checkout.datasets.get(name, {})
    sources = dataset.get("sources", {})
    if "github" in sources:
        return {f"{SOURCES}/{name}/{sources['github']['organisation']}": {"api": sources["github"]["api"]}}
    if "files" not in sources:
        return {}
    return {
        f"{SOURCES}/{name}/{file['file']}": {"urls": file["urls"], "sha256": file["sha256"], "mode": dataset["source"]}
        for file in source_files(dataset, checkout.root)
    }


def source_specs(checkout: Checkout) -> list[dg.AssetSpec]:
    """Return the sources of all datasets: Dagster shows them, and does not make them."""
    return [
        dg.AssetSpec(
            dg.AssetKey.from_user_string(key),
            group_name=SOURCES,
            description=f"A source of {name}.",
            metadata={what: dg.MetadataValue.json(value) for what, value in about.items()},
        )
        for name in checkout.names
        for key, about in source_keys(checkout, name).items()
    ]


def _age(text: str) -> timedelta:
    days, hours, minutes = (int(part or 0) for part in AGE.fullmatch(text).groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def dataset_spec(checkout: Checkout, name: str) -> dg.AssetSpec:
    """Return a dataset as an asset: what it is, what it is made of, and the version of what it would be built from."""
    dataset, error = checkout.datasets.get(name), checkout.datasets.broken.get(name)
    about = dataset["about"] if dataset else {"description": f"It cannot be built: {error}", "title": name}
    identity = ADDRESS.search(checkout.config["release"].get("identity") or "")
    fresh = checkout.datasets.fresh.get(name)
    deps = [dg.AssetKey([other]) for other in checkout.needs(name)]
    deps += [dg.AssetKey.from_user_string(key) for key in source_keys(checkout, name)]
    return dg.AssetSpec(
        dg.AssetKey([name]),
        deps=deps,
        description=f"{one_line(about['title'])}\n\n{shown(about['description'])}",
        group_name=GROUP,
        kinds={"snakemake", "dvc", *([dataset["kind"]] if dataset and "kind" in dataset else [])},
        owners=[identity[1]] if identity else [],
        code_version=code_version(checkout, name),
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=_age(fresh)) if fresh else None,
        metadata={key: shown(about[key]) for key in ("license", "homepage", "citation") if key in about},
        # What had nothing to do, or failed, has no event.
        skippable=True,
    )


def check_specs(checkout: Checkout, name: str) -> list[dg.AssetCheckSpec]:
    """Return what the contract of a dataset asks for; nothing that needs it is built where one fails."""
    if name not in checkout.datasets:
        return []
    return [
        dg.AssetCheckSpec(check, asset=dg.AssetKey([name]), description=words, blocking=True)
        for check, words in checks_of(checkout.datasets[name]["contract"]).items()
    ]


def building_step(checkout: Checkout) -> dg.AssetsDefinition:
    """Return the step that builds whichever datasets are selected."""

    @dg.multi_asset(
        name="registry_run",
        specs=[dataset_spec(checkout, name) for name in checkout.names],
        check_specs=[spec for name in checkout.names for spec in check_specs(checkout, name)],
        can_subset=True,
    )
    def registry_run(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        wanted = sorted(key.to_user_string() for key in context.op_execution_context.selected_asset_keys)
        checked = {(key.asset_key.to_user_string(), key.name) for key in context.selected_asset_check_keys}
        if not wanted:
            yield from _passed(checkout, checked)
            return
        try:
            record = build(checkout, [rule_of(name) for name in wanted], context.log.info)
        except RegistryError as error:
            raise dg.Failure(str(error)) from None
        yield from _told(checkout, context, record, wanted, checked)

    return registry_run


def _told(
    checkout: Checkout, context: dg.AssetExecutionContext, record: dict[str, Any], wanted: list[str], checked: set[Any]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Yield what a run has come to for each dataset that was wanted. Raises dg.Failure where it did not go well."""
    now = Checkout.at(checkout.root)
    outcomes = {one["dataset"]: one for one in record["datasets"]}
    for name in _parents_first(now, [*outcomes]):
        outcome = outcomes[name]
        if name in wanted:
            yield from _of_one(now, outcome, checked)
        elif outcome["state"] == "built":
            context.log_event(runless_event(now, name))
    for line in (*remarks(record), *(f"{name} is not released: {why}" for name, why in held_back(record).items())):
        context.log.warning(line)
    if exit_code(record) == FAILED:
        said = [f"{job['rule']}: {FailedJob(**job).said}" for job in record["failed_jobs"]]
        raise dg.Failure("\n".join([*said, *remarks(record)]) or "not all went well", allow_retries=False)


def _of_one(
    checkout: Checkout, outcome: dict[str, Any], checked: set[Any]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    name = outcome["dataset"]
    mine = {check for dataset, check in checked if dataset == name}
    if outcome["breaches"] and name in checkout.datasets:
        broken = breaches_by_check(checkout.datasets[name]["contract"], outcome["breaches"])
        for check in sorted(mine & broken.keys()):
            yield dg.AssetCheckResult(
                passed=False, asset_key=dg.AssetKey([name]), check_name=check, description=broken[check]
            )
        return
    if outcome["state"] not in ("built", "up to date", "pinned") or not (snapshot := checkout.built(name)):
        return
    yield dg.MaterializeResult(
        asset_key=dg.AssetKey([name]),
        metadata={**metadata_of(checkout, snapshot), "state": outcome["state"]},
        data_version=dg.DataVersion(snapshot.content_hash),
        tags=event_tags(checkout, snapshot, [*source_keys(checkout, name)]),
    )
    yield from _passed(checkout, {(name, check) for check in mine})


def _passed(checkout: Checkout, checked: set[tuple[str, str]]) -> Iterator[dg.AssetCheckResult]:
    """Yield the verdict that stands in provenance.json: what is not there was never built."""
    for name, check in sorted(checked):
        snapshot = checkout.built(name)
        if snapshot is None:
            raise dg.Failure(f"{name} is not built, so that nothing is known of {check}")
        passed = snapshot.provenance["contract"].get("passed") is True
        yield dg.AssetCheckResult(passed=passed, asset_key=dg.AssetKey([name]), check_name=check)


def runless_event(checkout: Checkout, name: str) -> dg.AssetMaterialization:
    """Return the event that tells of a dataset as it stands on disk, whoever built it or brought it."""
    snapshot = checkout.built(name)
    return dg.AssetMaterialization(
        dg.AssetKey([name]),
        metadata=metadata_of(checkout, snapshot),
        tags=event_tags(checkout, snapshot, [*source_keys(checkout, name)]),
    )


def unknown_to(instance: dg.DagsterInstance, checkout: Checkout, names: Sequence[str]) -> list[Told]:
    """Return the events that Dagster lacks: of those datasets that do not stand here as its newest events say."""
    found: list[Told] = []
    for name in _parents_first(checkout, names):
        event = instance.get_latest_materialization_event(dg.AssetKey([name]))
        tags = event.asset_materialization.tags if event and event.asset_materialization else {}
        snapshot = checkout.built(name)
        if snapshot and (tags or {}).get(SEEN) != seen(checkout, snapshot):
            found += [runless_event(checkout, name), *_verdicts(checkout, name, snapshot)]
    return found


def _verdicts(checkout: Checkout, name: str, snapshot: Snapshot) -> list[dg.AssetCheckEvaluation]:
    """Return what a build recorded of its contract; nothing where that is not the contract of this checkout."""
    contract = checkout.datasets[name]["contract"] if name in checkout.datasets else None
    if contract is None or contract != snapshot.provenance["config"]["contract"]:
        return []
    passed = snapshot.provenance["contract"].get("passed") is True
    return [
        dg.AssetCheckEvaluation(asset_key=dg.AssetKey([name]), check_name=check, passed=passed, blocking=True)
        for check in checks_of(contract)
    ]


def _parents_first(checkout: Checkout, names: Sequence[str]) -> list[str]:
    """Return datasets so that each comes after those that it is made of, which are made of none themselves."""
    return sorted(names, key=lambda name: (len(checkout.needs(name)) > 0, name))
