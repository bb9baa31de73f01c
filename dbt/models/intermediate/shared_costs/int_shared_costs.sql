{#- What is passed on: in closed periods as it was posted, in open ones as it is now. -#}
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

-- "IT Services passes on 638.4 of Microsoft 365 E5 by direct_cost: Engineering has 2286.08 of
-- 4070.56, so 638.4 x 0.5616131441 = 358.533831"
explained as (

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
        parts.shared_cost,
        parts.shared_sales,
        concat(
            cost_centers.cost_center_name, ' passes on ', {{ plain_number('parts.pool_cost') }},
            coalesce(concat(' of ', parts.product_name), ''),
            case
                when rules.source_kind <> 'cost_center'
                    then concat(' (shared ', rules.source_kind, ' ', rules.source_id, ')')
                when parts.step = 2 then ', including received costs,'
                else ''
            end,
            ' by ', rules.method, ': ', parts.to_cost_center_name, ' has ',
            {{ plain_number('parts.basis') }}, ' of ', {{ plain_number('parts.basis_total') }},
            ', so ', {{ plain_number('parts.pool_cost') }}, ' x ',
            {{ plain_number('parts.share') }}, ' = ', {{ plain_number('parts.shared_cost') }}
        ) as explanation
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

unioned as (

    select * from posted
    union all by name
    select * from explained

)

select * from unioned
