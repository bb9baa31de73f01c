{#-
The seats of a deleted cost center go to its successor, else to Default. Default receives all licenses
that no cost center has.
-#}
with

split_events as (

    select * from {{ ref('int_split_events') }}

),

carried_allocations as (

    select * from {{ ref('int_split_carried_allocations') }}

),

successors as (

    select * from {{ ref('int_split_successors') }}

),

passed_on as (

    select
        split_events.event_id,
        case
            when carried_allocations.is_deleted
                then coalesce(successors.successor_id, split_events.default_cost_center_id)
            else carried_allocations.cost_center_id
        end as cost_center_id,
        case
            when not carried_allocations.is_deleted then carried_allocations.cost_center_name
        end as cost_center_name,
        carried_allocations.allocated_quantity,
        carried_allocations.is_deleted and carried_allocations.allocated_quantity > 0
            as is_inherited
    from carried_allocations
    inner join split_events on carried_allocations.event_id = split_events.event_id
    left join successors
        on
            carried_allocations.event_id = successors.event_id
            and carried_allocations.cost_center_id = successors.cost_center_id

),

-- Whether any seats moved to another cost center, Default included.
inheritances as (

    select
        event_id,
        bool_or(is_inherited) as has_inherited
    from passed_on
    group by event_id

),

-- A bare event does not carry Default forward: Default is the total less all others.
allocated as (

    select
        passed_on.event_id,
        passed_on.cost_center_id,
        max(passed_on.cost_center_name) as cost_center_name,
        sum(passed_on.allocated_quantity) as allocated_quantity
    from passed_on
    inner join split_events on passed_on.event_id = split_events.event_id
    where
        split_events.is_full_snapshot
        or passed_on.cost_center_id <> split_events.default_cost_center_id
    group by passed_on.event_id, passed_on.cost_center_id

),

unallocated as (

    select
        split_events.event_id,
        split_events.default_cost_center_id as cost_center_id,
        greatest(
            split_events.total_quantity - coalesce(sum(allocated.allocated_quantity), 0), 0
        ) as unallocated_quantity
    from split_events
    left join allocated on split_events.event_id = allocated.event_id
    group by
        split_events.event_id,
        split_events.default_cost_center_id,
        split_events.total_quantity

),

combined as (

    select
        coalesce(allocated.event_id, unallocated.event_id) as event_id,
        coalesce(allocated.cost_center_id, unallocated.cost_center_id) as cost_center_id,
        allocated.cost_center_name,
        coalesce(allocated.allocated_quantity, 0)
        + coalesce(unallocated.unallocated_quantity, 0) as allocated_quantity,
        coalesce(unallocated.unallocated_quantity, 0) > 0 as is_unallocated
    from allocated
    full outer join unallocated
        on
            allocated.event_id = unallocated.event_id
            and allocated.cost_center_id = unallocated.cost_center_id

)

select
    combined.event_id,
    combined.cost_center_id,
    combined.cost_center_name,
    cast(combined.allocated_quantity as decimal(28, 10)) as allocated_quantity,
    combined.is_unallocated,
    coalesce(inheritances.has_inherited, false) as has_inherited
from combined
left join inheritances on combined.event_id = inheritances.event_id
