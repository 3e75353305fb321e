"""The registry as definitions of Dagster, from config/datasets/*.yaml: `dagster dev` in a checkout reads `defs`."""

import dagster as dg

from registry.orchestrate.assets import building_step, source_specs
from registry.orchestrate.checkout import Checkout, checkout_root
from registry.orchestrate.watch import jobs, nightly_schedule, sensors


def definitions(checkout: Checkout) -> dg.Definitions:
    """Return all that Dagster shows and runs of a checkout."""
    return dg.Definitions(
        assets=[building_step(checkout), *source_specs(checkout)],
        jobs=jobs(checkout),
        schedules=[nightly_schedule()],
        sensors=sensors(checkout),
        # There is one step, and Snakemake sees to what runs at once.
        executor=dg.in_process_executor,
    )


defs = definitions(Checkout.at(checkout_root()))
