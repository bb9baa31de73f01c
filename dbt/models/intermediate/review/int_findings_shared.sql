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

ruled_costs as (

    select * from {{ ref('int_shared_cost_ruled_costs') }}

),

shares as (

    select * from {{ ref('int_shared_cost_shares') }}

),

parts as (

    select * from {{ ref('int_shared_cost_parts') }}

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
        concat(
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
of_nothing as (

    select
        'shared_source_unknown' as kind,
        rule_sets.organization_id,
        case
            when rule_sets.source_kind = 'subscription' then rule_sets.source_id
        end as subscription_id,
        cast(null as varchar) as billing_period,
        cast(null as varchar) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat(
            'no bill of ', rule_sets.organization_id, ' contains the ',
            replace(rule_sets.source_kind, '_', ' '), ' ', rule_sets.source_id,
            ' that a rule shares from ', cast(rule_sets.valid_from as varchar)
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
        sum(to_pass_on.total_cost) as amount_at_stake,
        concat(
            rules.source_name, ' is not passed on: no receiving cost center has any ',
            case rules.method
                when 'direct_cost' then 'direct cost'
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
    where shares.rule_id is null
    group by
        rules.organization_id,
        rules.source_kind,
        rules.source_id,
        rules.billing_period,
        to_pass_on.currency,
        rules.source_name,
        rules.method
    having sum(to_pass_on.total_cost) <> 0 or sum(to_pass_on.total_sales) <> 0

),

without_rule as (

    select
        'shared_without_rule' as kind,
        open_costs.organization_id,
        cast(null as varchar) as subscription_id,
        open_costs.billing_period,
        open_costs.currency,
        sum(open_costs.total_cost) as amount_at_stake,
        concat(
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
select * from of_nothing
union all
select * from not_passed_on
union all
select * from without_rule
