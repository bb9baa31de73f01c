{#-
A cost is recognized in the month that it applies to, but never before it is billed, so the
amortized cost of a closed period cannot change. The part for future months is recognized in those
months.
-#}
{{ config(meta={
    'partition_column': 'billed_period',
    'partitioned_by': {'int_amortized_costs': 'billing_period'},
}) }}

with

amortized_costs as (

    select * from {{ ref('int_amortized_costs') }}

),

borne as (

    select
        greatest(billing_period, {{ year_month('month') }}) as billing_period,
        billing_period as billed_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind,
        cast(sum(amortized_cost) as decimal(28, 10)) as amortized_cost,
        cast(sum(amortized_sales) as decimal(28, 10)) as amortized_sales
    from amortized_costs
    group by
        greatest(billing_period, {{ year_month('month') }}),
        billing_period,
        organization_id,
        cost_center_id,
        product_name,
        currency,
        charge_kind

)

select * from borne
