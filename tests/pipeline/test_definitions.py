"""The code location: the asset graph as an operator sees it, and the triggers of runs."""

from pathlib import Path

import dagster as dg
import pytest
from conftest import Company

from dagster_project import automation
from dagster_project.definitions import defs
from dagster_project.settings import PROJECT_ROOT


def test_the_graph_leads_from_raw_to_published() -> None:
    graph = defs.resolve_asset_graph()
    groups: dict[str, set[str]] = {}
    for key in graph.get_all_asset_keys():
        groups.setdefault(graph.get(key).group_name, set()).add(key.path[-1])
    models = PROJECT_ROOT / "dbt" / "models"
    rooms = {path.name for path in (models / "intermediate").iterdir()}
    mart_rooms = {f"marts_{path.name}" for path in (models / "marts").iterdir()}
    assert set(groups) == {"raw", "rules", "staging", "published"} | rooms | mart_rooms
    assert groups["raw"] >= {"broker_report", "new_commerce_reconciliation", "split_history"}
    assert groups["splits"] >= {"int_split_snapshots", "int_split_shares"}
    # Its view is in the schema of staging, but the model belongs to its room.
    assert "int_directory_users" in groups["directory"]
    marts = set().union(*(groups[room] for room in mart_rooms))
    assert marts == {
        "billing_periods",
        "billing_report",
        "billing_summary",
        "budget_variance",
        "chargeback",
        "chargeback_as_corrected",
        "chargeback_change_details",
        "chargeback_changes",
        "committed_spend",
        "cost_forecast",
        "cost_forecast_summary",
        "cost_center_history",
        "findings",
        "delivery_reconciliation",
        "focus_billing_period",
        "focus_contract_commitment",
        "focus_cost_and_usage",
        "focus_invoice_detail",
        "forecast_accuracy",
        "invoice_reconciliation",
        "journal_entries",
        "license_pool",
        "monthly_license_costs",
        "prorated_lines",
        "quarantined_rows",
        "shared_costs",
        "statement_lines",
        "subscription_changes",
    }
    published = graph.get(dg.AssetKey(["published"]))
    assert {key.path[-1] for key in published.parent_keys} == marts


def test_every_asset_has_a_description() -> None:
    graph = defs.resolve_asset_graph()
    silent = [
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if not graph.get(key).description or graph.get(key).description == key.path[-1]
    ]
    assert silent == []


def test_every_source_of_the_models_is_filled_by_an_asset() -> None:
    graph = defs.resolve_asset_graph()
    assert [key for key in graph.get_all_asset_keys() if not graph.get(key).is_executable] == []


def test_the_schedule_comes_after_the_invoice_in_utc() -> None:
    assert automation.monthly_schedule.cron_schedule == "0 5 9 * *"
    assert automation.monthly_schedule.execution_timezone == "UTC"


def test_the_sensor_starts_one_run_when_landing_has_changed_and_settled(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPORTION_DATA", str(company.data.root))
    company.drop("billing_lines/january.csv", "half a fi")

    def look(cursor: str | None) -> tuple[str | None, bool]:
        context = dg.build_sensor_context(cursor=cursor)
        outcome = automation.landing_sensor.evaluate_tick(context)
        return outcome.cursor, bool(outcome.run_requests)

    cursor, started = look(None)
    assert not started, "the first evaluation only records the state"
    path: Path = company.drop("billing_lines/january.csv", "half a file, now whole")
    cursor, started = look(cursor)
    assert not started, "it changed between two evaluations: a copy is in progress"
    cursor, started = look(cursor)
    assert started
    cursor, started = look(cursor)
    assert not started, "nothing changed since that run"
    path.unlink()
    cursor, started = look(look(cursor)[0])
    assert started, "a removed file is a change too"
