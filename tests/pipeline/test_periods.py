"""Billing periods as partitions of exports and closings in Dagster."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from conftest import MadeOnce
from published_company import copied, published_company, query

from dagster_project import run_state
from dagster_project.assets.periods import BILLING_PERIODS, close_period, exports, show_periods
from dagster_project.assets.resources import Warehouse
from dagster_project.automation import landing_sensor
from dagster_project.landing.folder import landing_fingerprint
from dagster_project.ledger.postings import read_postings
from dagster_project.publish import published_state
from dagster_project.settings import DataFolder


@pytest.fixture
def data(made_once: MadeOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """A published company: January 2026 is closed, February open."""
    own = copied(published_company(made_once), tmp_path / "data")
    # A copied file has a state of its own.
    run_state.remember(own)
    monkeypatch.setenv("APPORTION_DATA", str(own.root))
    return own


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        show_periods(made, {"2026-01", "2026-02"})
        yield made


def test_the_published_periods_are_the_partitions(instance: dg.DagsterInstance) -> None:
    name = str(BILLING_PERIODS.name)
    show_periods(instance, {"2026-02", "2026-03"})
    assert set(instance.get_dynamic_partitions(name)) == {"2026-02", "2026-03"}
    show_periods(instance, set())
    assert instance.get_dynamic_partitions(name) == []


def test_one_month_is_exported_as_the_command_exports_it(
    data: DataFolder, instance: dg.DagsterInstance
) -> None:
    written = dg.materialize(
        [exports],
        instance=instance,
        partition_key="2026-01",
        resources={"warehouse": Warehouse()},
    )
    assert written.success
    (materialized,) = written.asset_materializations_for_node("exports")
    assert materialized.partition == "2026-01"
    assert materialized.metadata["journal"].value == 1
    folder = data.exports / "2026-01"
    assert materialized.metadata["folder"].value == str(folder)
    state = json.loads((folder / "state.json").read_text())["state_id"]
    assert state == materialized.metadata["published_state"].value == published_state(data)
    assert (folder / "journal-2026-01.csv").read_text().count("2026-01") > 1
    assert not (data.exports / "2026-02").exists()


def test_a_period_is_closed_by_a_run_of_its_partition(
    data: DataFolder, instance: dg.DagsterInstance
) -> None:
    def close(period: str, reason: str | None = None) -> dg.ExecuteInProcessResult:
        return close_period.execute_in_process(
            instance=instance,
            partition_key=period,
            resources={"warehouse": Warehouse()},
            run_config={"ops": {"post_to_ledger": {"config": {"override_reason": reason}}}},
            raise_on_error=False,
        )

    def refusal(result: dg.ExecuteInProcessResult) -> str:
        (failure,) = result.get_step_failure_events()
        return str(failure.step_failure_data.user_failure_data.description)

    def run_requests() -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            instance=instance, cursor=landing_fingerprint(data.landing)
        )
        return list(landing_sensor.evaluate_tick(context).run_requests or [])

    assert "2026-01 is closed already" in refusal(close("2026-01"))
    # A row of February is in quarantine.
    assert "quarantine" in refusal(close("2026-02"))
    assert len(read_postings(data.ledger)) == 1
    assert run_requests() == [], "everything is published"
    closed = close("2026-02", "the row is a test")
    assert closed.success
    (output,) = [
        event.event_specific_data
        for event in closed.all_events
        if event.event_type is dg.DagsterEventType.STEP_OUTPUT
    ]
    charged = dict(
        query(
            data,
            "select currency, sum(charged_amount) from chargeback"
            " where billing_period = '2026-02' group by currency",
        )
    )
    shown = {name: each.value for name, each in output.metadata.items()}
    # Amounts of different currencies are not added. Harbor is charged its cost, in EUR.
    assert {name: shown[name] for name in shown if "_" in name and name[-3:].isupper()} == {
        "charged_EUR": str(charged["EUR"]),
        "charged_USD": str(charged["USD"]),
        "cost_EUR": "90.0000000000",
        "cost_USD": "1236403.8912340000",
    }
    assert charged["EUR"] == 90 and charged["USD"] == Decimal("1301860")
    assert "total_cost" not in shown
    posting = read_postings(data.ledger)[-1]
    assert (posting.billing_period, posting.override_reason) == ("2026-02", "the row is a test")
    (request,) = run_requests()
    assert request.tags["apportion/state"] == run_state.current(data), "published as closed"
