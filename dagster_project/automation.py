"""Automatic runs: the job, its schedule, the sensor on landing, and mail and alerts after runs.

Schedule and sensor are off until they are switched on in the web UI (Automation). Alerts are on if
they have a recipient, mail of closed periods if delivery.toml asks for it.
"""

from collections.abc import Callable, Iterator

import dagster as dg

from dagster_project import run_state
from dagster_project.errors import ApportionError
from dagster_project.landing.folder import landing_fingerprint
from dagster_project.mail import alerts, notify
from dagster_project.mail.smtp import MailNotSent
from dagster_project.settings import DataFolder, Limits
from dagster_project.writer import only_writer

STATE_TAG = "apportion/state"
"""The tag of a run with the state of landing, ledger and rules that it was started for."""

MOST_ATTEMPTS = 3

chargeback_job = dg.define_asset_job(
    "chargeback",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("exports"),
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
    description="Starts a run when a file in landing is added, changed or removed, and when a"
    " period is closed.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per state of landing and ledger that is not published yet; a failed run is repeated.

    The cursor is the state of landing at the last evaluation. Whether a run is needed is not
    remembered but read: from what is published, and from the runs that were started for this state.
    """
    data = DataFolder.from_environment()
    if not data.landing.is_dir():
        yield dg.SkipReason(f"no folder {data.landing}")
        return
    landing = landing_fingerprint(data.landing)
    if landing != context.cursor:
        # A copy in progress changes between two evaluations: start when two of them agree.
        context.update_cursor(landing)
        yield dg.SkipReason(
            "landing changed; a run starts if it is unchanged at the next evaluation"
        )
        return
    state = run_state.current(data)
    if run_state.is_published(data, state):
        yield dg.SkipReason("the published results are those of landing and ledger")
        return
    started = context.instance.get_runs(dg.RunsFilter(tags={STATE_TAG: state}))
    failed = [
        run
        for run in started
        if run.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    ]
    if len(failed) < len(started):
        yield dg.SkipReason("a run for this state was started")
    elif len(failed) >= MOST_ATTEMPTS:
        yield dg.SkipReason(
            f"{len(failed)} runs for this state failed or were canceled, the last one is"
            f" {failed[0].run_id}: correct its cause, then start a run or change a file"
        )
    else:
        yield dg.RunRequest(run_key=f"{state}:{len(failed)}", tags={STATE_TAG: state})


def _status_by_default(is_configured: Callable[[DataFolder], bool]) -> dg.DefaultSensorStatus:
    """Running if it is configured. Damaged settings are reported when the sensor runs."""
    try:
        is_on = is_configured(DataFolder.from_environment())
    except ApportionError:
        is_on = True
    return dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED


@dg.run_failure_sensor(
    name="alert_of_failed_run",
    default_status=_status_by_default(alerts.is_configured),
    description="Sends an alert when a run failed.",
)
def failure_alert(context: dg.RunFailureSensorContext) -> None:
    """One alert per failed run."""
    run = context.dagster_run
    errors = [event.step_failure_data.error for event in context.get_step_failure_events()]
    reasons = [(error.cause or error).message for error in errors if error]
    reason = (reasons or [context.failure_event.message or "see Dagster's web UI"])[0].strip()
    alerts.send(DataFolder.from_environment(), alerts.failed_run(run.job_name, run.run_id, reason))


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[chargeback_job],
    name="alert_of_new_findings",
    default_status=_status_by_default(alerts.is_configured),
    description="Sends an alert of new findings when a run succeeded.",
)
def findings_alert(context: dg.RunStatusSensorContext) -> None:
    """One alert per run that has new findings."""
    alerts.send_new_findings(DataFolder.from_environment())


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[chargeback_job],
    name="mail_of_closed_periods",
    default_status=_status_by_default(notify.is_on_closing),
    description="Mails statements of a period when a run has published it as closed.",
)
def closed_period_mail(context: dg.RunStatusSensorContext) -> None:
    """Mail what is not sent yet; messages that were refused fail the tick with their reasons."""
    data = DataFolder.from_environment()
    with only_writer(data, Limits.from_environment(), progress=context.log.info):
        outcomes = notify.notify_recent(data, progress=context.log.info)
    faults = [fault for each in outcomes.values() for fault in (*each.refused, *each.unknown)]
    if faults:
        raise MailNotSent("; ".join(faults))
