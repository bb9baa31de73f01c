with

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

default_cost_centers as (

    select * from {{ ref('int_default_cost_centers') }}

),

chargeback as (

    select * from {{ ref('chargeback') }}

),

charged as (

    select
        organization_id,
        cost_center_id,
        {{ latest_name('cost_center_name') }} as cost_center_name
    from chargeback
    group by organization_id, cost_center_id

),

-- Cost centers that are listed, charged, or both.
either as (

    select
        coalesce(cost_centers.organization_id, charged.organization_id) as organization_id,
        coalesce(cost_centers.cost_center_id, charged.cost_center_id) as cost_center_id,
        coalesce(
            cost_centers.cost_center_name, charged.cost_center_name, charged.cost_center_id
        ) as cost_center_name,
        cost_centers.parent_id,
        cost_centers.business_unit,
        cost_centers.location,
        cost_centers.charge_code,
        cost_centers.gl_account,
        cost_centers.cost_center_id is not null as is_listed,
        coalesce(cost_centers.is_shared, false) as is_shared,
        cost_centers.successor_id,
        cost_centers.valid_from,
        cost_centers.valid_to
    from cost_centers
    full outer join charged
        on
            cost_centers.organization_id = charged.organization_id
            and cost_centers.cost_center_id = charged.cost_center_id

),

final as (

    select
        either.organization_id,
        either.cost_center_id,
        either.cost_center_name,
        either.parent_id as parent_cost_center_id,
        parents.cost_center_name as parent_cost_center_name,
        either.business_unit,
        either.location,
        either.charge_code,
        either.gl_account,
        default_cost_centers.cost_center_id is not null as is_default,
        either.is_shared,
        either.is_listed,
        either.successor_id as successor_cost_center_id,
        either.valid_from,
        either.valid_to
    from either
    left join either as parents
        on
            either.organization_id = parents.organization_id
            and either.parent_id = parents.cost_center_id
    left join default_cost_centers
        on
            either.organization_id = default_cost_centers.organization_id
            and either.cost_center_id = default_cost_centers.cost_center_id

)

select * from final
