{#-
Findings on business units and parent entities: more licenses in use than the split allocates to all their
cost centers together, and chains of parents without a top. A unit with one cost center is left out,
because the cost center is a finding of its own.
-#}
{{ config(materialized='view') }}
with

license_pool as (

    select * from {{ ref('int_license_pool') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

ancestors as (

    select * from {{ ref('int_cost_center_ancestors') }}

),

members as (

    select
        'business unit' as unit_kind,
        organization_id,
        business_unit as unit_id,
        cost_center_id
    from cost_centers
    where business_unit is not null
    union all
    select
        'parent' as unit_kind,
        organization_id,
        ancestor_id as unit_id,
        cost_center_id
    from ancestors
    union all
    select
        'parent' as unit_kind,
        organization_id,
        ancestor_id as unit_id,
        ancestor_id as cost_center_id
    from ancestors
    group by organization_id, ancestor_id

),

used as (

    select
        members.unit_kind,
        members.organization_id,
        members.unit_id,
        license_pool.subscription_id,
        license_pool.currency,
        max(license_pool.product_name) as product_name,
        sum(license_pool.allotted_quantity) as allotted_quantity,
        sum(license_pool.assigned_quantity) as assigned_quantity,
        sum(license_pool.exceeding_quantity) as exceeding_quantity,
        sum(license_pool.exceeding_cost) as exceeding_cost
    from members
    inner join license_pool
        on
            members.organization_id = license_pool.organization_id
            and members.cost_center_id = license_pool.cost_center_id
    group by
        members.unit_kind,
        members.organization_id,
        members.unit_id,
        license_pool.subscription_id,
        license_pool.currency
    -- Quantities that the directory decides exceed nothing.
    having
        sum(license_pool.exceeding_quantity) > 0
        and count(*) > 1
        and sum(license_pool.assigned_quantity) > sum(license_pool.allotted_quantity)

),

exceeding as (

    select
        'unit_allotment_exceeded' as kind,
        used.organization_id,
        used.subscription_id,
        cast(null as string) as billing_period,
        used.currency,
        {{ part_of_cost(
            'used.exceeding_cost',
            '(used.assigned_quantity - used.allotted_quantity)',
            'used.exceeding_quantity'
        ) }} as amount_at_stake,
        concat_ws(
            '',
            used.unit_kind, ' ', coalesce(units.cost_center_name, used.unit_id), ' uses ',
            {{ plain_number('used.assigned_quantity') }}, ' licenses of ', used.product_name,
            ' and is allocated ', {{ plain_number('used.allotted_quantity') }}
        ) as message
    from used
    left join cost_centers as units
        on
            used.unit_kind = 'parent'
            and used.organization_id = units.organization_id
            and used.unit_id = units.cost_center_id

),

without_top as (

    select
        'parents_without_top' as kind,
        cost_centers.organization_id,
        cast(null as string) as subscription_id,
        cast(null as string) as billing_period,
        cast(null as string) as currency,
        cast(null as decimal(28, 10)) as amount_at_stake,
        concat_ws(
            '',
            'the parents of cost center ', cost_centers.cost_center_id, ' from ',
            cost_centers.parent_id, ' on form a circle or are more than twenty'
        ) as message
    from cost_centers
    left join ancestors
        on
            cost_centers.organization_id = ancestors.organization_id
            and cost_centers.cost_center_id = ancestors.cost_center_id
            and ancestors.distance = 1
    where cost_centers.parent_id is not null and ancestors.cost_center_id is null

)

select * from exceeding
union all
select * from without_top
