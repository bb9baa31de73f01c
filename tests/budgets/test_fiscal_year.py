"""Budgets compared over a fiscal year that apportion.toml declares."""

from decimal import Decimal

from conftest import Company

MONTHS = [f"2025-{month:02}" for month in range(7, 13)] + [f"2026-{m:02}" for m in range(1, 7)]


def test_a_fiscal_year_from_july_is_named_for_the_year_in_which_it_ends(company: Company) -> None:
    company.data.root.mkdir(parents=True, exist_ok=True)
    company.data.declarations.write_text("[fiscal_year]\nfirst_month = 7\n")
    company.drop("organizations/o.csv", "Organization,Name\nvet,Vet Clinic\n")
    company.drop("cost_centers/c.csv", "Cost Center ID,Organization,Name\nF,vet,Front Office\n")
    company.drop(
        "split_history/s.csv",
        "Subscription ID,Event,Datetime,Total Quantity,Cost Center,Allocated Quantity,"
        "Organization\noffice,Cost center split adjusted,2025-01-01,10,F,10,vet\n",
    )
    charges = [
        f"office,Office,10,120.00,2025-{month:02}-01,2025-{month:02}-28,cycleCharge."
        f" From 01 {name} 2025 to {days} {name} 2025 ({days} days),vet,USD"
        for month, name, days in (
            (6, "Jun", 30),
            (7, "Jul", 31),
            (8, "Aug", 31),
            (9, "Sep", 30),
            (10, "Oct", 31),
            (11, "Nov", 30),
            (12, "Dec", 31),
        )
    ]
    company.drop(
        "billing_lines/b.csv",
        "Subscription ID,ProductName,Quantity,TotalCost,ChargeStartDate,BillingDate,"
        "BillingLineDetails,Organization,Currency\n" + "\n".join(charges) + "\n",
    )
    company.drop(
        "budgets/b.csv",
        "Cost Center ID,Month,Currency,Amount\n"
        + "".join(f"F,{month},USD,100\n" for month in MONTHS),
    )
    company.build()
    # Six months at 120.00 are 720.00 of 600.00. June 2025, with its 120.00, is of fiscal year 2025.
    assert company.query(
        "select fiscal_year, budget_to_date, actual_to_date, variance_to_date, year_budget,"
        " is_latest_month from marts.budget_variance where month = date '2025-12-01'"
    ) == [(2026, Decimal(600), Decimal(720), Decimal(120), Decimal(1200), True)]
    assert company.query(
        "select distinct fiscal_year, min(month)::varchar, max(month)::varchar, count(*)"
        " from marts.budget_variance group by fiscal_year"
    ) == [(2026, "2025-07-01", "2026-06-01", 12)]
