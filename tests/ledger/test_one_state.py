"""Closing posts the published rows: landing, warehouse and published tables have one state."""

import os
from decimal import Decimal

import duckdb
import pytest
from conftest import Company

from dagster_project import dbt_runner, publish, run_state
from dagster_project.errors import LedgerBroken, NotAPeriodToClose, NotOneState
from dagster_project.ledger import anchors, closing

HEADER = (
    "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
    "BillingLineDetails\n"
)
RIGHT = HEADER + (
    "s,E3,1,1843.04,2025-01-01,2025-02-06,new. From 1 Jan 2025 to 31 Jan 2025 (31 days)\n"
)
MISTAKE = HEADER + (
    "t,E3,1,421.79,2025-01-01,2025-02-06,new. From 1 Jan 2025 to 31 Jan 2025 (31 days)\n"
)


def run(company: Company) -> None:
    """The steps of a run, without Dagster's records."""
    run_state.begin(company.data)
    company.build()
    state_id = run_state.begun(company.data)
    publish.publish(company.data, dbt_runner.read_manifest(), state_id)
    run_state.remember(company.data)


def killed_before_publishing(company: Company) -> None:
    run_state.begin(company.data)
    company.build()


def test_closing_posts_exactly_what_is_published_or_nothing(company: Company) -> None:
    company.drop("billing_lines/right.csv", RIGHT)
    with pytest.raises(NotOneState, match="nothing is published yet"):
        closing.close_published(company.data, "2025-02")
    run(company)
    assert run_state.is_published(company.data, run_state.current(company.data))

    mistake = company.drop("billing_lines/mistake.csv", MISTAKE)
    with pytest.raises(NotOneState, match="have changed since the published run"):
        closing.close_published(company.data, "2025-02")
    killed_before_publishing(company)
    with pytest.raises(NotOneState, match="have changed since the published run"):
        closing.close_published(company.data, "2025-02")
    mistake.unlink()
    # Landing is again as published; the warehouse still has the mistake.
    assert company.query("select sum(total_cost) from marts.billing_report") == [
        (Decimal("2264.83"),)
    ]
    with pytest.raises(NotOneState, match="a later run changed the warehouse"):
        closing.close_published(company.data, "2025-02")
    assert not company.data.ledger.exists()
    assert not run_state.is_published(company.data, run_state.current(company.data))

    run(company)
    posting = closing.close_published(company.data, "2025-02")
    assert (posting.row_count, Decimal(posting.total_cost)) == (1, Decimal("1843.04"))
    assert posting.state_id == publish.published_state(company.data)
    with pytest.raises(NotAPeriodToClose, match="closed already"):
        closing.close_published(company.data, "2025-02")

    # The head is recorded at once, before a run has published the period as closed.
    assert [path.exists() for path in anchors.anchor_files(company.data)] == [True, True]
    (company.data.ledger / "chain.jsonl").unlink()
    (company.data.ledger / posting.file).unlink()
    with pytest.raises(
        LedgerBroken, match="the ledger lacks a posting that an earlier run recorded"
    ):
        closing.close_published(company.data, "2025-03")


def test_a_version_stays_complete_while_the_next_is_switched_in(company: Company) -> None:
    company.drop("billing_lines/right.csv", RIGHT)
    run(company)
    marts = company.data.published / "marts"
    resolved = marts.resolve()
    before = {path.name: path.read_bytes() for path in resolved.iterdir()}
    company.drop("billing_lines/mistake.csv", MISTAKE)
    run(company)
    assert {path.name: path.read_bytes() for path in resolved.iterdir()} == before
    assert marts.resolve() != resolved
    with duckdb.connect() as connection:
        parquet = marts / "billing_report.parquet"
        total = connection.execute("select sum(total_cost) from read_parquet(?)", [str(parquet)])
        assert total.fetchall() == [(Decimal("2264.83"),)]
    assert len([path for path in resolved.parent.parent.iterdir() if path.is_dir()]) == 2

    # A Parquet file that somebody changed, or that is gone, is no published result.
    state = run_state.current(company.data)
    assert run_state.is_published(company.data, state)
    now = marts.resolve() / "billing_report.parquet"
    times = now.stat().st_mtime_ns
    os.utime(now, ns=(times, times + 10**15))
    assert not run_state.is_published(company.data, state)
    os.utime(now, ns=(times, times))
    assert run_state.is_published(company.data, state)
    now.unlink()
    assert not run_state.is_published(company.data, state)
