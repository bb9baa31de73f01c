{#-
The parents of a cost center, direct and indirect. Circles and chains of more than twenty parents have
no top, so that their cost centers count as having no parent.
-#}
with recursive

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

parents as (

    select
        organization_id,
        cost_center_id,
        parent_id,
        1 as distance
    from cost_centers
    where parent_id is not null

    union all

    select
        parents.organization_id,
        parents.cost_center_id,
        cost_centers.parent_id,
        parents.distance + 1 as distance
    from parents
    inner join cost_centers
        on
            parents.organization_id = cost_centers.organization_id
            and parents.parent_id = cost_centers.cost_center_id
    where cost_centers.parent_id is not null and parents.distance <= 20

),

with_distance as (

    select
        organization_id,
        cost_center_id,
        parent_id as ancestor_id,
        distance,
        max(distance) over (partition by organization_id, cost_center_id) as most_distance
    from parents

)

select
    organization_id,
    cost_center_id,
    ancestor_id,
    distance
from with_distance
where most_distance <= 20
