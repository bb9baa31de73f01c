{#-
The rules in force with their step: the second for a cost center that receives by another rule, else
the first. A rule with a problem has no step and is not applied.
-#}
with

usable_rules as (

    select * from {{ ref('int_shared_cost_usable_rules') }}

),

chains as (

    select * from {{ ref('int_shared_cost_chains') }}

),

receivers as (

    select * from {{ ref('int_shared_cost_receivers') }}

),

with_problem as (

    select
        usable_rules.* {{ without('problem') }},
        case
            when usable_rules.problem is not null then 'shared_rule_unusable'
            else chains.problem_kind
        end as problem_kind,
        coalesce(usable_rules.problem, chains.way) as problem
    from usable_rules
    left join chains
        on
            usable_rules.billing_period = chains.billing_period
            and usable_rules.rule_id = chains.rule_id

),

applied as (

    select * from with_problem
    where problem_kind is null

),

fed as (

    select
        applied.billing_period,
        applied.organization_id,
        receivers.cost_center_id
    from applied
    inner join receivers
        on
            applied.billing_period = receivers.billing_period
            and applied.rule_id = receivers.rule_id
    group by applied.billing_period, applied.organization_id, receivers.cost_center_id

),

in_steps as (

    select
        with_problem.*,
        case
            when with_problem.problem_kind is not null then null
            when with_problem.source_kind = 'cost_center' and fed.cost_center_id is not null then 2
            else 1
        end as step
    from with_problem
    left join fed
        on
            with_problem.billing_period = fed.billing_period
            and with_problem.organization_id = fed.organization_id
            and with_problem.source_key = fed.cost_center_id

)

select * from in_steps
