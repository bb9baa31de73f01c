{#- The rules in force, each checked on its own: usable or not, with the reason. -#}
with

sets_in_force as (

    select * from {{ ref('int_shared_cost_sets_in_force') }}

),

receivers as (

    select * from {{ ref('int_shared_cost_receivers') }}

),

cost_centers as (

    select * from {{ ref('int_shared_cost_centers') }}

),

unusable_receivers as (

    select
        billing_period,
        rule_id,
        min(concat_ws('', 'it names ', cost_center_id, ', which ', problem)) as problem
    from receivers
    where problem is not null
    group by billing_period, rule_id

),

checked as (

    select
        sets_in_force.billing_period,
        sets_in_force.organization_id,
        sets_in_force.organization_name,
        sets_in_force.last_billing_date,
        sets_in_force.rule_id,
        sets_in_force.source_kind,
        sets_in_force.source_key,
        sets_in_force.source_id,
        case sets_in_force.source_kind
            when 'cost_center'
                then coalesce(cost_centers.cost_center_name, sets_in_force.source_id)
            when 'subscription' then concat_ws('', 'subscription ', sets_in_force.source_id)
            else sets_in_force.source_id
        end as source_name,
        sets_in_force.method,
        sets_in_force.valid_from,
        coalesce(
            sets_in_force.problem,
            case
                when
                    sets_in_force.source_kind = 'cost_center'
                    and cost_centers.cost_center_id is null
                    then concat_ws(
                        '', sets_in_force.source_id, ' is not in the list of cost centers'
                    )
            end,
            unusable_receivers.problem
        ) as problem
    from sets_in_force
    left join cost_centers
        on
            sets_in_force.billing_period = cost_centers.billing_period
            and sets_in_force.organization_id = cost_centers.organization_id
            and sets_in_force.source_key = cost_centers.cost_center_id
            and sets_in_force.source_kind = 'cost_center'
    left join unusable_receivers
        on
            sets_in_force.billing_period = unusable_receivers.billing_period
            and sets_in_force.rule_id = unusable_receivers.rule_id

)

select * from checked
