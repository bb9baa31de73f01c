{{ config(materialized='view') }}
with

rules as (

    select * from {{ ref('int_shared_cost_rules') }}

),

ruled_costs as (

    select * from {{ ref('int_shared_cost_ruled_costs') }}

),

parts as (

    select * from {{ ref('int_shared_cost_parts') }}

),

-- Receivers may have direct cost and no sales, or the reverse.
shares as (

    select
        billing_period,
        rule_id,
        currency,
        max(share) > 0 as has_cost_share,
        max(sales_share) > 0 as has_sales_share
    from {{ ref('int_shared_cost_shares') }}
    group by billing_period, rule_id, currency

),

-- The amount to pass on: the amount that the rule covers, and the amount received in the previous
-- step.
to_pass_on as (

    select
        billing_period,
        rule_id,
        currency,
        total_cost,
        total_sales
    from ruled_costs
    union all
    select
        parts.billing_period,
        rules.rule_id,
        parts.currency,
        parts.shared_cost as total_cost,
        parts.shared_sales as total_sales
    from parts
    inner join rules
        on
            parts.billing_period = rules.billing_period
            and parts.organization_id = rules.organization_id
            and parts.to_cost_center_id = rules.source_key
            and rules.source_kind = 'cost_center'
    where parts.step = 1 and rules.step = 2

),

-- No receiver had any of the units that the rule counts, or there was no receiver.
not_passed_on as (

    select
        'shared_cost_not_passed_on' as kind,
        rules.organization_id,
        case when rules.source_kind = 'subscription' then rules.source_id end as subscription_id,
        rules.billing_period,
        to_pass_on.currency,
        case
            when coalesce(shares.has_cost_share, false) then sum(to_pass_on.total_sales)
            else sum(to_pass_on.total_cost)
        end as amount_at_stake,
        concat_ws(
            '',
            rules.source_name,
            case
                when coalesce(shares.has_cost_share, false)
                    then ' is passed on without its sales: no receiving cost center has any '
                else ' is not passed on: no receiving cost center has any '
            end,
            case rules.method
                when 'direct_cost'
                    then
                        case
                            when coalesce(shares.has_cost_share, false) then 'direct sales'
                            else 'direct cost'
                        end
                when 'seats' then 'seats'
                when 'headcount' then 'users in the directory'
                else 'part in it'
            end
        ) as message
    from rules
    inner join to_pass_on
        on
            rules.billing_period = to_pass_on.billing_period
            and rules.rule_id = to_pass_on.rule_id
    left join shares
        on
            rules.billing_period = shares.billing_period
            and rules.rule_id = shares.rule_id
            and to_pass_on.currency = shares.currency
    group by
        rules.organization_id,
        rules.source_kind,
        rules.source_id,
        rules.billing_period,
        to_pass_on.currency,
        rules.source_name,
        rules.method,
        shares.has_cost_share,
        shares.has_sales_share
    having
        (
            not coalesce(shares.has_cost_share, false)
            and (sum(to_pass_on.total_cost) <> 0 or sum(to_pass_on.total_sales) <> 0)
        )
        or (not coalesce(shares.has_sales_share, false) and sum(to_pass_on.total_sales) <> 0)

)

select * from not_passed_on
