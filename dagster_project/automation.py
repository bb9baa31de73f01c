"""Automatic runs: the job, its monthly schedule, and the sensor on landing.

Schedule and sensor are off until they are switched on in the web UI (Automation).
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.landing.folder import landing_fingerprint
from dagster_project.settings import DataFolder

chargeback_job = dg.define_asset_job(
    "chargeback",
    selection=dg.AssetSelection.all(),
    description="From landing files to published marts, in one process.",
)

monthly_schedule = dg.ScheduleDefinition(
    name="monthly_after_invoice",
    job=chargeback_job,
    # Partner Center issues invoices on the 6th to 8th, so all of them exist on the 9th.
    cron_schedule="0 5 9 * *",
    execution_timezone="UTC",
    description="On the 9th of each month at 05:00 UTC, after the provider's invoice.",
)


@dg.sensor(
    job=chargeback_job,
    minimum_interval_seconds=60,
    description="Starts a run when a file in landing is added, changed or removed.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per state of landing; waits for files that are still being copied."""
    landing = DataFolder.from_environment().landing
    if not landing.is_dir():
        yield dg.SkipReason(f"no folder {landing}")
        return
    fingerprint = landing_fingerprint(landing)
    seen, _, started = (context.cursor or ":").partition(":")
    if fingerprint == started:
        yield dg.SkipReason("landing has not changed since the last run")
    elif fingerprint != seen:
        # A copy in progress changes between two evaluations: start when two of them agree.
        context.update_cursor(f"{fingerprint}:{started}")
        yield dg.SkipReason(
            "landing changed; a run starts if it is unchanged at the next evaluation"
        )
    else:
        context.update_cursor(f"{fingerprint}:{fingerprint}")
        yield dg.RunRequest(run_key=fingerprint)
