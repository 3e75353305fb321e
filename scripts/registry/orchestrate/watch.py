"""What Dagster does by itself: tell of what others did, build new events, run the night's command; and its jobs."""

import json
import subprocess
import sys
from typing import Any

import dagster as dg

from registry.config.names import rule_of
from registry.errors import RegistryError
from registry.orchestrate.assets import unknown_to
from registry.orchestrate.checkout import Checkout
from registry.orchestrate.run import run_command
from registry.orchestrate.unfinished import end_killed, is_any_at_work
from registry.orchestrate.versions import digest, seen
from registry.shown import shown
from registry.sources.stream import MODE, accepted_batches
from registry.storage.states import State

EVERY = 60
"""Seconds between two looks at the checkout."""
NIGHTLY = "0 3 * * *"
NEW_EVENTS = "new_events"
UNUSABLE = {State.NOT_BUILT, State.INCOMPLETE, State.DAMAGED, State.RETIRED}
"""States in which nothing whole is here that an event could tell of."""


def status_of(checkout: Checkout) -> list[str]:
    """Return the datasets that are whole here, as `registry status --json` says. Raises RegistryError."""
    command = [sys.executable, "-m", "registry", "status", "--json"]
    done = subprocess.run(command, cwd=checkout.root, env=checkout.environment(), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise RegistryError(f"registry status failed:\n{done.stderr.strip()}", where=str(checkout.root))
    return [one["dataset"] for one in json.loads(done.stdout) if one["state"] not in UNUSABLE]


def outside_sensor(root: Checkout) -> dg.SensorDefinition:
    """Return the sensor that tells Dagster of what was built, rolled back, pulled or released without it."""

    @dg.sensor(
        name="changed_outside",
        minimum_interval_seconds=EVERY,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of what was built, rolled back, pulled or released by others than Dagster.",
    )
    def changed_outside(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        checkout = Checkout.at(root.root)
        state = digest({name: seen(checkout, built) for name in checkout.names if (built := checkout.built(name))})
        if state == context.cursor:
            return dg.SkipReason("nothing has changed here")
        try:
            whole = {*status_of(checkout)} & {*checkout.names}
        except RegistryError as error:
            return dg.SkipReason(shown(str(error)))
        return dg.SensorResult(asset_events=unknown_to(context.instance, checkout, [*whole]), cursor=state)

    return changed_outside


def unbuilt_batches(checkout: Checkout) -> tuple[dict[str, list[str]], list[str]]:
    """Return {dataset: the batches of its stream} of those that `registry ingest` has brought further than the build.

    With it comes why nothing is known of others.
    """
    found, unknown = {}, []
    for name, dataset in checkout.datasets.items():
        if name in checkout.datasets.streams and dataset["source"] == MODE and not checkout.is_pinned(name):
            try:
                read = sorted(accepted_batches(dataset, checkout.root) or {})
            except RegistryError as error:
                unknown.append(shown(str(error)))
                continue
            source = built.provenance["source"] if (built := checkout.built(name)) else {"files": []}
            if {*read} - {file["file"] for file in source["files"]}:
                found[name] = read
    return found, unknown


def events_sensor(root: Checkout) -> dg.SensorDefinition:
    """Return the sensor that builds what has new events, all of it in one run, after the last such run has ended."""
    keys = [dg.AssetKey([name]) for name in root.datasets.streams]

    @dg.sensor(
        name=NEW_EVENTS,
        target=keys,
        minimum_interval_seconds=EVERY,
        description="Builds and releases the datasets of streams of which `registry ingest` has read more.",
    )
    def new_events(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        killed = end_killed(context.instance, NEW_EVENTS)
        if is_any_at_work(context.instance, NEW_EVENTS):
            return dg.SkipReason("the last run is still at work")
        try:
            waiting, unknown = unbuilt_batches(Checkout.at(root.root))
        except RegistryError as error:
            return dg.SkipReason(shown(str(error)))
        if not waiting:
            return dg.SkipReason("\n".join(unknown) or "nothing was read that is not built")
        # What failed is asked for again with the next batch, not every minute; what was killed, at once.
        return dg.RunRequest(
            run_key=digest([waiting, killed]), asset_selection=[dg.AssetKey([name]) for name in waiting]
        )

    return new_events


def sensors(checkout: Checkout) -> list[dg.SensorDefinition]:
    """Return all sensors; one for streams only where there are any."""
    return [outside_sensor(checkout), *([events_sensor(checkout)] if checkout.datasets.streams else [])]


def nightly_job(checkout: Checkout) -> dg.JobDefinition:
    """Return the job that runs `registry refresh`, and tells Dagster what came of it."""

    @dg.op(description="registry refresh: ask living sources again, build and release what is out of date.")
    def registry_refresh(context: dg.OpExecutionContext) -> None:
        code = run_command(checkout, ["refresh"], context.log.info)
        for event in unknown_to(context.instance, now := Checkout.at(checkout.root), now.names):
            context.instance.report_runless_asset_event(event)
        if code == 1:
            raise dg.Failure("registry refresh failed: see its lines above")
        if code:
            context.log.warning("something is built and not released: see the lines above")

    @dg.job(name="nightly", executor_def=dg.in_process_executor)
    def nightly() -> None:
        registry_refresh()

    return nightly


def jobs(checkout: Checkout) -> list[Any]:
    """Return a job for each dataset, one for all, and the night's."""
    each = [dg.define_asset_job(rule_of(name), selection=[dg.AssetKey([name])]) for name in checkout.names]
    every = dg.define_asset_job("all", selection=[dg.AssetKey([name]) for name in checkout.names])
    return [*each, every, nightly_job(checkout)]


def nightly_schedule() -> dg.ScheduleDefinition:
    """Return the schedule of the night's job, which is off until somebody turns it on."""
    return dg.ScheduleDefinition(name="every_night", job_name="nightly", cron_schedule=NIGHTLY)
