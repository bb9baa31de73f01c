{#-
Units group cost centers in four ways. A parent entity contains the cost centers below it and the cost
center of the same id; other kinds contain the cost centers that name the unit.
-#}
with

cost_centers as (

    select * from {{ ref('dim_cost_center') }}

),

budgets as (

    select * from {{ ref('budget_variance') }}

),

ancestors as (

    select * from {{ ref('int_cost_center_ancestors') }}

),

-- A cost center can have a budget before it is listed or charged.
members as (

    select
        organization_id,
        cost_center_id
    from cost_centers
    union
    select
        organization_id,
        cost_center_id
    from budgets

),

parents as (

    select
        organization_id,
        ancestor_id as unit_id
    from ancestors
    group by organization_id, ancestor_id

),

-- A parent contains itself.
family as (

    select
        organization_id,
        cost_center_id,
        ancestor_id as unit_id,
        distance
    from ancestors
    union all
    select
        organization_id,
        unit_id as cost_center_id,
        unit_id,
        0 as distance
    from parents

),

placed as (

    {% for kind in ['business_unit', 'location', 'charge_code'] %}
        select
            members.organization_id,
            members.cost_center_id,
            '{{ kind }}' as unit_kind,
            coalesce(cost_centers.{{ kind }}, '(none)') as unit_id,
            0 as distance
        from members
        left join cost_centers
            on
                members.organization_id = cost_centers.organization_id
                and members.cost_center_id = cost_centers.cost_center_id
        union all
    {% endfor %}
    select
        members.organization_id,
        members.cost_center_id,
        'parent' as unit_kind,
        coalesce(family.unit_id, '(none)') as unit_id,
        coalesce(family.distance, 0) as distance
    from members
    left join family
        on
            members.organization_id = family.organization_id
            and members.cost_center_id = family.cost_center_id

),

final as (

    select
        placed.organization_id,
        placed.cost_center_id,
        coalesce(cost_centers.cost_center_name, placed.cost_center_id) as cost_center_name,
        placed.unit_kind,
        placed.unit_id,
        case
            when placed.unit_kind = 'parent'
                then coalesce(units.cost_center_name, placed.unit_id)
            else placed.unit_id
        end as unit_name,
        cast(placed.distance as integer) as distance,
        case when placed.unit_kind = 'parent' then above.ancestor_id end as parent_unit_id
    from placed
    left join cost_centers
        on
            placed.organization_id = cost_centers.organization_id
            and placed.cost_center_id = cost_centers.cost_center_id
    left join cost_centers as units
        on
            placed.organization_id = units.organization_id
            and placed.unit_id = units.cost_center_id
    left join ancestors as above
        on
            placed.organization_id = above.organization_id
            and placed.unit_id = above.cost_center_id
            and above.distance = 1

)

select * from final
