{#-
Fails with every cost center whose amount in FOCUS differs from the bill. A charge that counts
twice, as a whole and as its parts, or that is missing would fail here. Months of prepaid
purchases are no billing lines.
-#}
{% test focus_totals_are_the_bills(model) %}

with

ours as (

    select
        x_BillingPeriod as billing_period,
        BillingAccountId as organization_id,
        x_CostCenterId as cost_center_id,
        BillingCurrency as currency,
        count(*) as row_count,
        sum(BilledCost) as total_cost,
        sum(x_TotalSales) as total_sales
    from {{ model }}
    where x_PrepaidLineId is null
    group by x_BillingPeriod, BillingAccountId, x_CostCenterId, BillingCurrency

),

theirs as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        currency,
        count(*) as row_count,
        sum(total_cost) as total_cost,
        sum(total_sales) as total_sales
    from {{ ref('billing_report') }}
    group by billing_period, organization_id, cost_center_id, currency

),

validation_errors as (

    select
        coalesce(ours.billing_period, theirs.billing_period) as billing_period,
        coalesce(ours.cost_center_id, theirs.cost_center_id) as cost_center_id,
        ours.row_count,
        theirs.row_count as expected_row_count,
        ours.total_cost,
        theirs.total_cost as expected_total_cost,
        ours.total_sales,
        theirs.total_sales as expected_total_sales
    from ours
    full outer join theirs
        on
            ours.billing_period = theirs.billing_period
            and ours.organization_id = theirs.organization_id
            and ours.cost_center_id = theirs.cost_center_id
            and ours.currency = theirs.currency
    where
        ours.row_count is distinct from theirs.row_count
        -- BilledCost has decimals that a measure leaves out: half of its last decimal per row.
        or abs(ours.total_cost - theirs.total_cost) > 0.00000000005 * ours.row_count
        or ours.total_sales is distinct from theirs.total_sales

)

select * from validation_errors

{% endtest %}
