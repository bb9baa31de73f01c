{#- Cost centers that a rule may refer to in an open period, as of the period's last bill. -#}
with

open_costs as (

    select * from {{ ref('int_open_costs') }}

),

sets_in_force as (

    select * from {{ ref('int_shared_cost_sets_in_force') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

bills as (

    select
        billing_period,
        organization_id,
        cast(max(billing_date) as timestamp) as last_billed_at
    from open_costs
    group by billing_period, organization_id

),

-- An organization without a list of cost centers has those of the bill.
billed as (

    select
        billing_period,
        organization_id,
        cost_center_id,
        max(cost_center_name) as cost_center_name
    from open_costs
    group by billing_period, organization_id, cost_center_id

),

known as (

    select
        billing_period,
        organization_id,
        cost_center_id
    from billed
    union
    select
        bills.billing_period,
        bills.organization_id,
        cost_centers.cost_center_id
    from bills
    inner join cost_centers on bills.organization_id = cost_centers.organization_id
    union
    select
        bills.billing_period,
        bills.organization_id,
        default_cost_centers.cost_center_id
    from bills
    inner join default_cost_centers
        on bills.organization_id = default_cost_centers.organization_id

),

described as (

    select
        known.billing_period,
        known.organization_id,
        known.cost_center_id,
        coalesce(
            cost_centers.cost_center_name,
            billed.cost_center_name,
            default_cost_centers.cost_center_name,
            known.cost_center_id
        ) as cost_center_name,
        default_cost_centers.cost_center_id is not null
        or coalesce(cost_centers.is_default, false) as is_default,
        coalesce(cost_centers.is_shared, false) as is_shared,
        coalesce(cost_centers.valid_from < bills.last_billed_at, true)
        and coalesce(cost_centers.valid_to >= bills.last_billed_at, true) as is_valid,
        sets_in_force.rule_id is not null as has_rule
    from known
    inner join bills
        on
            known.billing_period = bills.billing_period
            and known.organization_id = bills.organization_id
    left join billed
        on
            known.billing_period = billed.billing_period
            and known.organization_id = billed.organization_id
            and known.cost_center_id = billed.cost_center_id
    left join cost_centers
        on
            known.organization_id = cost_centers.organization_id
            and known.cost_center_id = cost_centers.cost_center_id
    left join default_cost_centers
        on
            known.organization_id = default_cost_centers.organization_id
            and known.cost_center_id = default_cost_centers.cost_center_id
    left join sets_in_force
        on
            known.billing_period = sets_in_force.billing_period
            and known.organization_id = sets_in_force.organization_id
            and known.cost_center_id = sets_in_force.source_key
            and sets_in_force.source_kind = 'cost_center'

)

select * from described
