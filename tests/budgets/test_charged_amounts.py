"""Budgets compared with what the bills charge: one amount on statement, unit and budget."""

from datetime import date
from decimal import Decimal

from conftest import Company


def test_the_actual_of_a_budget_is_the_charged_amount(sample_company: Company) -> None:
    compared = sample_company.query(
        """
        with charged as (
            select
                billing_period_start, organization_id, cost_center_id, currency,
                sum(charged_amount) as amount
            from marts.chargeback
            group by all
        )
        select count(*), count(*) filter (actual <> coalesce(amount, 0))
        from marts.budget_variance as budgets
        left join charged
            on budgets.month = charged.billing_period_start
            and budgets.organization_id = charged.organization_id
            and budgets.cost_center_id = charged.cost_center_id
            and budgets.currency = charged.currency
        where actual is not null
        """
    )
    assert compared == [(20, 0)]


def test_shared_costs_count_and_a_year_paid_in_advance_counts_once(
    sample_company: Company,
) -> None:
    rows = sample_company.query(
        """
        select cost_center_id, actual, amortized, actual_to_date, amortized_to_date, year_expected
        from marts.budget_variance
        where month = $april and cost_center_id in ('COB-200', 'DUN-100')
        order by cost_center_id
        """,
        {"april": date(2026, 4, 1)},
    )
    publishing, engineering = ([Decimal(each) for each in row[1:]] for row in rows)
    # By hand: 572.70 for 366 days from 5 March; April bears 57 of them, and 64 are in 2027.
    actual, amortized, to_date, amortized_to_date, year = publishing
    assert actual == Decimal("1447.031135")
    assert amortized == actual - Decimal("572.70") + Decimal("89.190984")
    assert to_date == Decimal("2815.688382")
    assert amortized_to_date == Decimal("2332.179366")
    assert year == Decimal("9106.03964") + Decimal("100.144262")
    actual, amortized, *_ = engineering
    # The statement of April: 2,505.18528 and 410.391227 of shared costs.
    assert actual - amortized == Decimal("410.391227")
    (((total,),), ((prepaid, forecast),)) = (
        sample_company.query(
            "select sum(amount) from marts.statement_lines"
            " where billing_period = '2026-04' and cost_center_id = 'DUN-100'"
        ),
        sample_company.query(
            "select sum(prepaid), sum(forecast) from marts.budget_variance"
            " where cost_center_id = 'COB-200' and fiscal_year = 2026"
        ),
    )
    assert total == actual
    # What bills have charged of the months to come is not charged again.
    assert year == to_date + forecast - prepaid
