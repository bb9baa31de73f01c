{#- Successors of a deleted cost center, direct and indirect. -#}
with recursive

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

successions as (

    select
        organization_id,
        cost_center_id,
        successor_id,
        1 as distance
    from cost_centers
    where successor_id is not null

    union all

    -- Chains of more than ten successors, and circles, end in Default.
    select
        successions.organization_id,
        successions.cost_center_id,
        cost_centers.successor_id,
        successions.distance + 1 as distance
    from successions
    inner join cost_centers
        on
            successions.organization_id = cost_centers.organization_id
            and successions.successor_id = cost_centers.cost_center_id
    where
        cost_centers.successor_id is not null
        and successions.distance < 10

),

with_end as (

    select
        successions.organization_id,
        successions.cost_center_id,
        successions.successor_id,
        successions.distance,
        cost_centers.valid_to as successor_valid_to
    from successions
    left join cost_centers
        on
            successions.organization_id = cost_centers.organization_id
            and successions.successor_id = cost_centers.cost_center_id

)

select * from with_end
