{#-
Costs and sales spread by day over their charge period, per month. Advance payments are assigned to
the months that they apply to, and refunds likewise. Amounts are rounded cumulatively, so that the
months of a charge sum to it exactly. Lines with the same keys and period are spread together.
-#}
{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {'int_report_rows': 'billing_period'},
}) }}

with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

charges as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind,
        charge_start_date,
        charge_end_date,
        sum(total_cost) as total_cost,
        sum(total_sales) as total_sales
    from report_rows
    group by
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind,
        charge_start_date,
        charge_end_date

),

charge_months as (

    select
        *,
        {{ each_month('charge_start_date', 'charge_end_date') }} as month
    from charges

),

counted as (

    select
        *,
        {{ days_before_month('charge_start_date', 'month') }} as low_days,
        {{ days_through_month('charge_start_date', 'charge_end_date', 'month') }} as high_days,
        {{ dbt.datediff('charge_start_date', 'charge_end_date', 'day') }} + 1 as total_days
    from charge_months

),

spread as (

    select
        billing_period,
        month,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind,
        {{ prorated_part(
            'total_cost', 'low_days', 'high_days', 'total_days', narrow_limit('total_days')
        ) }} as amortized_cost,
        {{ prorated_part(
            'total_sales', 'low_days', 'high_days', 'total_days', narrow_limit('total_days')
        ) }} as amortized_sales
    from counted

),

summed as (

    select
        billing_period,
        month,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind,
        cast(sum(amortized_cost) as decimal(28, 10)) as amortized_cost,
        cast(sum(amortized_sales) as decimal(28, 10)) as amortized_sales
    from spread
    group by
        billing_period,
        month,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind

)

select * from summed
