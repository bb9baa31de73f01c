with

cost_centers as (

    select * from {{ ref('stg_cost_centers__cost_centers') }}
    where rejected_reason is null

),

organization_keys as (

    select * from {{ ref('int_organization_keys') }}

),

files as (

    select * from {{ ref('stg_landing__files') }}
    where status = 'loaded'

),

-- For a cost center that is listed twice, the file with the latest modification time counts.
ranked as (

    select
        cost_centers.*,
        coalesce(
            organization_keys.organization_id, cost_centers.organization
        ) as organization_id,
        {{ newest_first(
            [
                'coalesce(organization_keys.organization_id, cost_centers.organization)',
                'cost_centers.cost_center_id',
            ],
            rows='cost_centers'
        ) }}
    from cost_centers
    inner join files on cost_centers.content_hash = files.content_hash
    left join organization_keys
        on lower(cost_centers.organization) = organization_keys.organization_key

)

select
    organization_id,
    cost_center_id,
    cost_center_name,
    parent_id,
    business_unit,
    location,
    charge_code,
    gl_account,
    is_default,
    is_shared,
    successor_id,
    valid_from,
    valid_to
from ranked
where newest_first = 1
