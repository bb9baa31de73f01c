{#- Amounts passed on: as posted in closed periods, as computed now in open periods. -#}
with

posted as (

    select * from {{ ref('stg_ledger__shared_costs') }}

),

parts as (

    select * from {{ ref('int_shared_cost_parts') }}

),

rules as (

    select * from {{ ref('int_shared_cost_rules') }}

),

cost_centers as (

    select * from {{ ref('int_shared_cost_centers') }}

),

computed as (

    select
        cast(null as bigint) as posting_number,
        parts.billing_period,
        parts.organization_id,
        rules.organization_name,
        parts.currency,
        cast(parts.step as integer) as step,
        rules.source_kind,
        rules.source_id,
        rules.source_name,
        rules.method,
        parts.from_cost_center_id,
        cost_centers.cost_center_name as from_cost_center_name,
        parts.to_cost_center_id,
        parts.to_cost_center_name,
        parts.product_name,
        parts.share,
        parts.sales_share,
        parts.shared_cost,
        parts.shared_sales,
        parts.pool_cost,
        parts.basis,
        parts.basis_total
    from parts
    inner join rules
        on
            parts.billing_period = rules.billing_period
            and parts.rule_id = rules.rule_id
    inner join cost_centers
        on
            parts.billing_period = cost_centers.billing_period
            and parts.organization_id = cost_centers.organization_id
            and parts.from_cost_center_id = cost_centers.cost_center_id

),

explained as (

    select
        * {{ without('pool_cost', 'basis', 'basis_total') }},
        {{ sharing_explanation('computed') }} as explanation
    from computed

),

unioned as (

    select * from posted
    union all
    select * from explained

)

select * from unioned
