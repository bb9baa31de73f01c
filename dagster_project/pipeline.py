"""One run of the job in this process, with its checks printed on the terminal."""

import gc
import logging
import re
from collections.abc import Iterator, Sequence

import dagster as dg

from dagster_project import faults
from dagster_project.private_interfaces import event_log_held_open, no_events_planned
from dagster_project.settings import DataFolder
from dagster_project.summary import blocking_findings

BLOCKING_CHECK = "every_delivery_is_decided_and_whole"
"""The check of findings that only a person can resolve; a failing run prints them."""


def run_pipeline(data: DataFolder) -> tuple[str, ...]:
    """Run every asset on `data` and print the checks; returns the failures, none on success.

    The caller holds the writer's lock.
    """
    logging.getLogger("dagster").setLevel(logging.WARNING)
    # A log that cannot be written is no reason to print a stack trace for every line of it.
    logging.raiseExceptions = False
    from dagster_project.assets.warehouse import ONLY_CHANGES
    from dagster_project.definitions import defs

    # The definitions stay. A run takes a tenth less if they are not searched for garbage.
    gc.freeze()
    job = defs.resolve_job_def("chargeback")
    print("Running       landing -> raw -> models and checks -> published", flush=True)
    with (
        dg.DagsterInstance.get() as instance,
        event_log_held_open(instance),
        no_events_planned(instance),
    ):
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={ONLY_CHANGES: "true"},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    failures = () if result.success else tuple(_failures(result.all_events))
    machine_faults = tuple(filter(None, map(faults.explain_text, failures)))
    if machine_faults:
        # Every check that could not be run has failed too, for this reason alone.
        return machine_faults[:1]
    evaluations = result.get_asset_check_evaluations()
    failed = sum(not evaluation.passed for evaluation in evaluations)
    # A check of unchanged tables has passed before and is not evaluated again.
    total = (
        len(list(job.asset_layer.asset_graph.asset_check_keys))
        if result.success
        else len(evaluations)
    )
    print(f"Checks        {total - failed} of {total} passed")
    for evaluation in evaluations:
        if not evaluation.passed:
            rows = evaluation.metadata.get("dagster_dbt/failed_row_count")
            count = f"{rows.value:>5,} rows" if rows else ""
            severity = "error" if evaluation.severity is dg.AssetCheckSeverity.ERROR else "warning"
            asset = evaluation.asset_key.path[-1]
            print(f"  {severity:<9}{count} of {asset} against {evaluation.check_name}")
    print(flush=True)
    if any(each.check_name == BLOCKING_CHECK and not each.passed for each in evaluations):
        print(blocking_findings(data), end="\n\n")
    if not result.success and not failures:
        return ("The run failed, and Dagster gave no reason.",)
    return failures


def _failures(events: Sequence[dg.DagsterEvent]) -> Iterator[str]:
    """The failures of steps; failures outside of steps only if no step failed."""
    failed_steps = [event for event in events if event.is_step_failure]
    for event in failed_steps:
        failure = event.step_failure_data
        described = failure.user_failure_data and failure.user_failure_data.description
        yield described or f"Step {event.step_key} failed: {_message(failure.error)}"
    if not failed_steps:
        for event in events:
            if event.is_job_failure and event.job_failure_data.error:
                yield f"The run failed: {_message(event.job_failure_data.error)}"


def _message(error: object) -> str:
    """The message of the innermost cause, without the name of its type."""
    while getattr(error, "cause", None):
        error = error.cause  # type: ignore[attr-defined]
    message = str(getattr(error, "message", "")).strip()
    return re.sub(r"^[\w.]+: ", "", message)
