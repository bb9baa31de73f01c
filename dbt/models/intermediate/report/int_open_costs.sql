{#- Costs that can still be shared: those of open periods, as billed before sharing. -#}
with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

correction_period as (

    select * from {{ ref('int_correction_period') }}

),

summed as (

    select
        report_rows.billing_period,
        report_rows.organization_id,
        max(report_rows.organization_name) as organization_name,
        report_rows.currency,
        report_rows.cost_center_id,
        max(report_rows.cost_center_name) as cost_center_name,
        report_rows.subscription_id,
        report_rows.product_name,
        max(report_rows.billing_date) as billing_date,
        cast(sum(report_rows.total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(report_rows.total_sales) as decimal(28, 10)) as total_sales
    from report_rows
    cross join correction_period
    where
        correction_period.closed_through is null
        or report_rows.billing_period > correction_period.closed_through
    group by
        report_rows.billing_period,
        report_rows.organization_id,
        report_rows.currency,
        report_rows.cost_center_id,
        report_rows.subscription_id,
        report_rows.product_name

)

select * from summed
