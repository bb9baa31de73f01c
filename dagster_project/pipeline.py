"""One run of the job in this process, with its story told on the terminal."""

import logging
import uuid

import dagster as dg

from dagster_project.private_interfaces import event_log_held_open
from dagster_project.settings import DataFolder


def run_pipeline(data: DataFolder) -> bool:
    """Run every asset on `data`; prints steps and failures, returns whether all succeeded."""
    logging.getLogger("dagster").setLevel(logging.WARNING)
    print("Starting      Dagster and dbt ...", flush=True)
    from dagster_project.definitions import defs

    job = defs.resolve_job_def("chargeback")
    print("Running       landing -> raw -> models and checks -> published", flush=True)
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as instance, event_log_held_open(instance, run_id):
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    evaluations = result.get_asset_check_evaluations()
    passed = sum(evaluation.passed for evaluation in evaluations)
    print(f"Checks        {passed} of {len(evaluations)} passed")
    for evaluation in evaluations:
        if not evaluation.passed:
            rows = evaluation.metadata.get("dagster_dbt/failed_row_count")
            count = f"{rows.value:>5,} rows" if rows else ""
            severity = "error" if evaluation.severity is dg.AssetCheckSeverity.ERROR else "warning"
            asset = evaluation.asset_key.path[-1]
            print(f"  {severity:<9}{count} of {asset} against {evaluation.check_name}")
    print(flush=True)
    if not result.success:
        for event in result.all_events:
            if event.is_step_failure:
                failure = event.step_failure_data
                told = failure.user_failure_data.description if failure.user_failure_data else None
                cause = (
                    failure.error.cause if failure.error and failure.error.cause else failure.error
                )
                print(f"Step {event.step_key} failed: {told or (cause.message if cause else '')}")
    return result.success
