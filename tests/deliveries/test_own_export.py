"""Our own FOCUS export lands again: each row keeps its cost center, period and amounts."""

import shutil

import pytest
from conftest import Company

from dagster_project.settings import PROJECT_ROOT

EXAMPLE = PROJECT_ROOT / "data" / "focus-example"
CHARGES = EXAMPLE / "focus-1.4-cost-and-usage-2026-01-to-2026-04.parquet"

KEYS = "billing_period, organization_id, cost_center_id, cost_center_name, currency, is_unallocated"
EXPORTED = f"""
    select
        x_BillingPeriod as billing_period,
        BillingAccountId as organization_id,
        x_CostCenterId as cost_center_id,
        x_CostCenterName as cost_center_name,
        BillingCurrency as currency,
        AllocatedResourceId is null as is_unallocated,
        -- The report has ten decimals, the export all of the bill.
        sum(cast(BilledCost as decimal(28, 10))) as total_cost,
        sum(x_TotalSales) as total_sales
    from read_parquet('{CHARGES}')
    group by all
    """
FOCUS_COSTS = """
    select
        x_BillingPeriod, BillingPeriodStart, BillingPeriodEnd, BillingAccountId, x_CostCenterId,
        BillingCurrency, ServiceName, SubAccountId,
        sum(BilledCost), sum(EffectiveCost), sum(ListCost), sum(ContractedCost), sum(x_TotalSales)
    from {charges}
    group by all
    """
EXPORTED_COSTS = FOCUS_COSTS.format(
    charges=f"""(
        select * replace (
            BillingPeriodStart at time zone 'UTC' as BillingPeriodStart,
            BillingPeriodEnd at time zone 'UTC' as BillingPeriodEnd
        )
        from read_parquet('{CHARGES}')
    )"""
)
LANDED_COSTS = FOCUS_COSTS.format(charges="marts.focus_cost_and_usage")
LANDED = f"""
    select {KEYS}, sum(total_cost) as total_cost, sum(total_sales) as total_sales
    from marts.billing_report
    group by all
    """


@pytest.mark.parametrize(
    "name",
    [
        "focus-1.4-cost-and-usage-2026-01-to-2026-04.csv",
        "focus-1.2-cost-and-usage-2026-01-to-2026-04.parquet",
    ],
)
def test_an_export_lands_again_with_the_same_cost_centers_periods_and_totals(
    company: Company, name: str
) -> None:
    target = company.data.landing / "billing_lines" / name
    target.parent.mkdir(parents=True)
    shutil.copyfile(EXAMPLE / name, target)
    company.build()
    assert company.query(f"select count(*) from ({EXPORTED})")[0][0] > 50
    assert (
        company.query(f"({LANDED} except {EXPORTED}) union all ({EXPORTED} except {LANDED})") == []
    )
    different = f"""
        (({LANDED_COSTS}) except ({EXPORTED_COSTS}))
        union all (({EXPORTED_COSTS}) except ({LANDED_COSTS}))
        """
    assert company.query(different) == []
    assert company.query("select distinct split_reason from marts.billing_report") == [
        ("split_by_bill",)
    ]
    # As in the sample itself: Evergreen's subscription is not billed any more.
    assert company.query("select kind, subscription_id from marts.findings") == [
        ("billing_stopped", "123")
    ]
