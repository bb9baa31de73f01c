{{ config(materialized='view') }}
{#- The nearest successor that still exists receives the seats of a deleted cost center. -#}
with

split_events as (

    select * from {{ ref('int_split_events') }}

),

carried_allocations as (

    select * from {{ ref('int_split_carried_allocations') }}
    where is_deleted

),

deletions as (

    select * from {{ ref('int_split_named_cost_centers') }}
    where event_kind = 'center_deleted'

),

successions as (

    select * from {{ ref('int_cost_center_successions') }}

),

existing_successors as (

    select
        carried_allocations.event_id,
        carried_allocations.cost_center_id,
        successions.successor_id,
        row_number() over (
            partition by carried_allocations.event_id, carried_allocations.cost_center_id
            order by successions.distance nulls last
        ) as nearest_first
    from carried_allocations
    inner join split_events on carried_allocations.event_id = split_events.event_id
    inner join successions
        on
            split_events.organization_id = successions.organization_id
            and carried_allocations.cost_center_id = successions.cost_center_id
            and (
                successions.successor_valid_to is null
                or successions.successor_valid_to > split_events.effective_at
            )
            and successions.successor_id <> carried_allocations.cost_center_id
    left join deletions
        on
            split_events.subscription_id = deletions.subscription_id
            and successions.successor_id = deletions.cost_center_id
            and deletions.event_number <= split_events.event_number
            and deletions.event_number
            > coalesce(split_events.allocations_event_number, 0)
    where deletions.event_id is null

)

select
    event_id,
    cost_center_id,
    successor_id
from existing_successors
where nearest_first = 1
