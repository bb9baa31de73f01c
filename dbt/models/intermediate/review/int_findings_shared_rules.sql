{{ config(materialized='view') }}
with

rule_sets as (

    select * from {{ ref('int_shared_cost_rule_sets') }}

),

rules as (

    select * from {{ ref('int_shared_cost_rules') }}

),

cost_centers as (

    select * from {{ ref('int_shared_cost_centers') }}

),

open_costs as (

    select * from {{ ref('int_open_costs') }}

),

billing_lines as (

    select * from {{ ref('int_billing_lines') }}

),

ledger_rows as (

    select * from {{ ref('stg_ledger__lines') }}

),

billed as (

    select
        organization_id,
        subscription_id,
        lower(product_name) as product_key
    from billing_lines
    union
    select
        organization_id,
        subscription_id,
        lower(product_name) as product_key
    from ledger_rows

),

not_applied as (

    select
        rules.problem_kind as kind,
        rules.organization_id,
        case when rules.source_kind = 'subscription' then rules.source_id end as subscription_id,
        rules.billing_period,
        open_costs.currency,
        sum(open_costs.total_cost) as amount_at_stake,
        concat_ws(
            '',
            'the cost of ', rules.source_name, ' is not passed on: ',
            case rules.problem_kind
                when 'shared_cost_circle' then 'the rules form a circle, '
                when 'shared_cost_third_step' then 'the rules pass costs on a third time, '
                else ''
            end,
            rules.problem
        ) as message
    from rules
    left join open_costs
        on
            rules.billing_period = open_costs.billing_period
            and rules.organization_id = open_costs.organization_id
            and rules.source_key = case rules.source_kind
                when 'subscription' then open_costs.subscription_id
                when 'product' then lower(open_costs.product_name)
                else open_costs.cost_center_id
            end
    where rules.problem_kind is not null
    group by
        rules.problem_kind,
        rules.organization_id,
        rules.source_kind,
        rules.source_id,
        rules.billing_period,
        open_costs.currency,
        rules.source_name,
        rules.problem

),

-- A rule whose organization, subscription or product is on no bill is most likely misspelled.
unknown_sources as (

    select
        'shared_source_unknown' as kind,
        rule_sets.organization_id,
        case
            when rule_sets.source_kind = 'subscription' then rule_sets.source_id
        end as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            'no bill of ', rule_sets.organization_id, ' contains the ',
            replace(rule_sets.source_kind, '_', ' '), ' ', rule_sets.source_id,
            ' that a rule shares from ', cast(rule_sets.valid_from as string)
        ) as message
    from rule_sets
    left join billed
        on
            rule_sets.organization_id = billed.organization_id
            and case rule_sets.source_kind
                when 'subscription' then rule_sets.source_key = billed.subscription_id
                when 'product' then rule_sets.source_key = billed.product_key
                else true
            end
    where billed.organization_id is null

),

without_rule as (

    select
        'shared_without_rule' as kind,
        open_costs.organization_id,
        cast(null as string) as subscription_id,
        open_costs.billing_period,
        open_costs.currency,
        sum(open_costs.total_cost) as amount_at_stake,
        concat_ws(
            '',
            max(cost_centers.cost_center_name), ' (', open_costs.cost_center_id,
            ') is marked as shared, but no rule passes its cost on'
        ) as message
    from open_costs
    inner join cost_centers
        on
            open_costs.billing_period = cost_centers.billing_period
            and open_costs.organization_id = cost_centers.organization_id
            and open_costs.cost_center_id = cost_centers.cost_center_id
    where cost_centers.is_shared and not cost_centers.has_rule
    group by
        open_costs.organization_id,
        open_costs.billing_period,
        open_costs.currency,
        open_costs.cost_center_id
    having sum(open_costs.total_cost) <> 0

)

select * from not_applied
union all
select * from unknown_sources
union all
select * from without_rule
