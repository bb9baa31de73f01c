{#-
Receivers of a rule: the cost centers that its rows name, else all existing cost centers that are
not Default, not shared and not passed on by their own rule.
-#}
with

sets_in_force as (

    select * from {{ ref('int_shared_cost_sets_in_force') }}

),

rule_rows as (

    select * from {{ ref('int_shared_cost_rule_rows') }}

),

cost_centers as (

    select * from {{ ref('int_shared_cost_centers') }}

),

named as (

    select
        sets_in_force.billing_period,
        sets_in_force.organization_id,
        sets_in_force.rule_id,
        rule_rows.cost_center_id,
        max(rule_rows.percent) as percent
    from sets_in_force
    inner join rule_rows on sets_in_force.rule_id = rule_rows.rule_id
    where rule_rows.cost_center_id is not null
    group by
        sets_in_force.billing_period,
        sets_in_force.organization_id,
        sets_in_force.rule_id,
        rule_rows.cost_center_id

),

the_others as (

    select
        sets_in_force.billing_period,
        sets_in_force.organization_id,
        sets_in_force.rule_id,
        cost_centers.cost_center_id,
        cast(null as decimal(18, 8)) as percent
    from sets_in_force
    inner join cost_centers
        on
            sets_in_force.billing_period = cost_centers.billing_period
            and sets_in_force.organization_id = cost_centers.organization_id
    where
        sets_in_force.receiver_count = 0
        and cost_centers.is_valid
        and not cost_centers.is_default
        and not cost_centers.is_shared
        and not cost_centers.has_rule

),

unioned as (

    select * from named
    union all
    select * from the_others

),

checked as (

    select
        unioned.*,
        coalesce(cost_centers.cost_center_name, unioned.cost_center_id) as cost_center_name,
        case
            when cost_centers.cost_center_id is null then 'is not in the list of cost centers'
            when not cost_centers.is_valid then 'does not exist on the day of the bill'
        end as problem
    from unioned
    left join cost_centers
        on
            unioned.billing_period = cost_centers.billing_period
            and unioned.organization_id = cost_centers.organization_id
            and unioned.cost_center_id = cost_centers.cost_center_id

)

select * from checked
