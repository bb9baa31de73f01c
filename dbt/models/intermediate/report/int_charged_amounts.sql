{#-
What a bill charges a cost center, after shared costs: as cost, and as sales where the bill has them.
The mart chargeback has the same sums by product.
-#}
{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {
        'int_report_rows': 'billing_period',
        'int_shared_cost_balances': 'billing_period',
    },
}) }}

with

report_rows as (

    select * from {{ ref('int_report_rows') }}

),

shared_balances as (

    select * from {{ ref('int_shared_cost_balances') }}

),

unioned as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        currency,
        total_cost as cost,
        total_sales as sales
    from report_rows
    union all
    select
        billing_period,
        organization_id,
        cost_center_id,
        currency,
        shared_cost as cost,
        shared_sales as sales
    from shared_balances

),

summed as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        currency,
        cast(sum(cost) as decimal(28, 10)) as cost_after_sharing,
        cast(sum(sales) as decimal(28, 10)) as sales_after_sharing
    from unioned
    group by billing_period, organization_id, cost_center_id, currency

)

select * from summed
