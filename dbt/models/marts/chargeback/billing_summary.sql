{{ config(meta={
    'partition_column': 'billing_period',
    'partitioned_by': {'billing_report': 'billing_period'},
}) }}

with

billing_report as (

    select * from {{ ref('billing_report') }}

),

rolled_up as (

    select
        case
            when grouping(organization_id) = 1 then 'billing_date'
            when grouping(product_name) = 1 then 'organization'
            when grouping(charge_kind) = 1 then 'product'
            else 'charge_kind'
        end as level,
        billing_period,
        billing_date,
        currency,
        organization_id,
        product_name,
        charge_kind,
        count(distinct line_id) as line_count,
        {{ quantity_of_sum() }} as quantity,
        cast(sum(total_cost) as decimal(28, 10)) as total_cost,
        cast(sum(total_sales) as decimal(28, 10)) as total_sales,
        cast(sum(total_margin) as decimal(28, 10)) as total_margin,
        {{ unit_of_quantity_of_sum() }} as quantity_unit
    from billing_report
    group by grouping sets (
        (billing_period, billing_date, currency),
        (billing_period, billing_date, currency, organization_id),
        (billing_period, billing_date, currency, organization_id, product_name),
        (billing_period, billing_date, currency, organization_id, product_name, charge_kind)
    )

)

select * from rolled_up
