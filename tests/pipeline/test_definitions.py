"""The code location: the asset graph as an operator sees it, and the triggers of runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from conftest import Company

from dagster_project import automation, history, run_state
from dagster_project.assets import warehouse
from dagster_project.assets.resources import plain_refusals
from dagster_project.definitions import defs
from dagster_project.errors import NotAPeriodToClose
from dagster_project.settings import PROJECT_ROOT, DataFolder


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
        "chargeback_in_reporting_currency",
        "committed_spend",
        "cost_forecast",
        "cost_forecast_summary",
        "cost_center_history",
        "dim_cost_center",
        "dim_date",
        "dim_organization",
        "dim_product",
        "dim_subscription",
        "findings",
        "delivery_reconciliation",
        "focus_billing_period",
        "focus_contract_commitment",
        "focus_cost_and_usage",
        "focus_invoice_detail",
        "forecast_accuracy",
        "forecast_variance",
        "invoice_reconciliation",
        "journal_entries",
        "license_pool",
        "monthly_license_costs",
        "organization_findings",
        "pending_queue",
        "prorated_lines",
        "quarantined_rows",
        "shared_costs",
        "statement_lines",
        "subscription_changes",
        "unit_charges",
        "unit_members",
        "unit_quantities",
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


@dg.op(config_schema={"fails": bool})
def a_run(context: dg.OpExecutionContext) -> None:
    if context.op_config["fails"]:
        raise dg.Failure("the disk is full")


@dg.job
def some_job() -> None:
    a_run()


@dataclass
class Sensor:
    """The sensor on landing, with its cursor and Dagster's records."""

    instance: dg.DagsterInstance
    cursor: str | None = None

    def look(self) -> dg.RunRequest | None:
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        outcome = automation.landing_sensor.evaluate_tick(context)
        self.cursor = outcome.cursor
        return outcome.run_requests[0] if outcome.run_requests else None

    def execute(self, request: dg.RunRequest, fails: bool) -> None:
        some_job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            tags=dict(request.tags),
            run_config={"ops": {"a_run": {"config": {"fails": fails}}}},
        )


@pytest.fixture
def sensor(company: Company, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sensor]:
    monkeypatch.setenv("APPORTION_DATA", str(company.data.root))
    company.drop("billing_lines/january.csv", "half a fi")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Sensor(instance)


def test_the_sensor_starts_one_run_when_landing_has_changed_and_settled(
    company: Company, sensor: Sensor
) -> None:
    assert not sensor.look(), "the first evaluation only records the state"
    path: Path = company.drop("billing_lines/january.csv", "half a file, now whole")
    assert not sensor.look(), "it changed between two evaluations: a copy is in progress"
    request = sensor.look()
    assert request
    sensor.execute(request, fails=False)
    assert not sensor.look(), "nothing changed since that run"
    path.unlink()
    assert not sensor.look()
    assert sensor.look(), "a removed file is a change too"


def test_the_sensor_repeats_a_failed_run_and_gives_up_with_its_id(sensor: Sensor) -> None:
    assert not sensor.look()
    keys = []
    for _ in range(automation.MOST_ATTEMPTS):
        request = sensor.look()
        assert request
        keys.append(request.run_key)
        sensor.execute(request, fails=True)
    assert len(set(keys)) == automation.MOST_ATTEMPTS, "Dagster starts one run per key"
    assert not sensor.look()


def test_a_canceled_run_is_started_again(sensor: Sensor) -> None:
    assert not sensor.look()
    request = sensor.look()
    assert request
    sensor.instance.create_run_for_job(
        some_job,
        tags=dict(request.tags),
        run_config={"ops": {"a_run": {"config": {"fails": False}}}},
        status=dg.DagsterRunStatus.CANCELED,
    )
    repeated = sensor.look()
    assert repeated and repeated.run_key != request.run_key


def test_the_sensor_starts_nothing_if_the_results_are_those_of_landing(
    company: Company, sensor: Sensor
) -> None:
    # As a run leaves it, without its tables.
    data = company.data
    with duckdb.connect(str(data.warehouse)):
        pass
    version = data.published / "versions" / "000001-made"
    version.mkdir(parents=True)
    (version / "marts").mkdir()
    (version / "apportion.duckdb").touch()
    (version / "state.json").write_text('{"state_id": "made"}')
    (data.published / "current").symlink_to(version)
    data.published_database.symlink_to(version / "apportion.duckdb")
    run_state.begin(data)
    run_state.remember(data)
    assert not sensor.look()
    assert not sensor.look(), "switched on, and nothing has changed"
    company.drop("billing_lines/february.csv", "new")
    assert not sensor.look()
    assert sensor.look()


def test_a_refusal_is_a_plain_sentence() -> None:
    with pytest.raises(dg.Failure) as failure, plain_refusals():
        raise NotAPeriodToClose("2026-01 is closed already")
    assert failure.value.description == "2026-01 is closed already"
    assert failure.value.__suppress_context__


def test_every_data_folder_but_the_sample_has_its_own_history(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    home = history.use_home_of(company.data)
    assert home == company.data.run_folder / "dagster"
    assert (home / "dagster.yaml").read_text() == (history.OWN_HOME / "dagster.yaml").read_text()
    monkeypatch.setenv("DAGSTER_HOME", str(history.OWN_HOME))
    assert history.use_home_of(company.data) == home
    sample = DataFolder(PROJECT_ROOT / "data" / "sample")
    monkeypatch.setenv("DAGSTER_HOME", str(history.OWN_HOME))
    assert history.use_home_of(sample) == history.OWN_HOME
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert history.use_home_of(company.data) == tmp_path


def test_records_of_old_runs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        Sensor(instance).execute(dg.RunRequest(), fails=False)
        Sensor(instance).execute(dg.RunRequest(), fails=True)
        now = datetime.now(UTC)
        assert history.remove_old_runs(instance, now + timedelta(days=history.KEPT_DAYS - 1)) == 0
        later = now + timedelta(days=history.KEPT_DAYS + 1)
        assert history.remove_old_runs(instance, later) == 2
        Sensor(instance).execute(dg.RunRequest(), fails=False)
        assert history.remove_old_runs(instance, later) == 1
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == 0


def test_amounts_of_different_currencies_are_not_added_in_metadata() -> None:
    totals = [("EUR", Decimal("90.50")), ("JPY", None), ("USD", Decimal("1"))]
    assert warehouse._totals(totals) == "90.5 EUR, 1 USD"
    assert warehouse._totals([("JPY", None)]) == "none"
