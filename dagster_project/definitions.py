"""The code location: loads the rooms and sets policy once.

Policy: one process per run and one run at a time, since DuckDB takes one writer.
"""

import dagster as dg

from dagster_project import automation
from dagster_project.assets import downloads, periods, published, raw, warehouse
from dagster_project.assets.resources import Warehouse

defs = dg.Definitions(
    assets=[
        downloads.billing_export_downloads,
        raw.raw_tables,
        warehouse.warehouse_models,
        published.published,
        periods.exports,
    ],
    jobs=[automation.chargeback_job, periods.close_period],
    schedules=[automation.monthly_schedule],
    sensors=[
        automation.landing_sensor,
        automation.failure_alert,
        automation.findings_alert,
        automation.closed_period_mail,
    ],
    resources={"warehouse": Warehouse()},
    executor=dg.in_process_executor,
)
