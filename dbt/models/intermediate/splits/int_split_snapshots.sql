with

split_events as (

    select * from {{ ref('int_split_events') }}

),

allocations as (

    select * from {{ ref('int_split_allocations') }}

),

totaled as (

    select
        event_id,
        cast(sum(allocated_quantity) as decimal(28, 10)) as allocated_total,
        bool_or(has_inherited) as has_inherited
    from allocations
    group by event_id

),

in_order as (

    select
        split_events.event_id as snapshot_id,
        split_events.subscription_id,
        split_events.organization_id,
        split_events.event,
        split_events.event_kind,
        split_events.event_number,
        split_events.effective_at,
        split_events.recorded_at,
        split_events.is_full_snapshot,
        split_events.is_implied,
        coalesce(split_events.total_quantity, totaled.allocated_total) as total_quantity,
        totaled.allocated_total,
        totaled.has_inherited,
        split_events.named_cost_center_id,
        lag(split_events.event_id) over (
            partition by split_events.subscription_id
            order by split_events.event_number nulls last
        ) as event_id_before
    from split_events
    inner join totaled on split_events.event_id = totaled.event_id

),

-- A deletion implied by the cost center list creates a snapshot only if it moves seats, that is, if
-- the cost center had seats until then.
snapshots as (

    select in_order.* {{ without('named_cost_center_id', 'event_id_before') }}
    from in_order
    left join allocations as held_until_then
        on
            in_order.event_id_before = held_until_then.event_id
            and in_order.named_cost_center_id = held_until_then.cost_center_id
            and held_until_then.allocated_quantity > 0
    where not in_order.is_implied or held_until_then.event_id is not null

),

-- valid_from is inclusive, valid_to exclusive. If several snapshots have the same instant, all
-- but the last have an empty range.
ranged as (

    select
        *,
        effective_at as valid_from,
        coalesce(
            lead(effective_at) over (
                partition by subscription_id
                order by event_number nulls last
            ),
            {{ far_future() }}
        ) as valid_to,
        allocated_total > total_quantity as is_over_allocated,
        -- A split without licenses is not applied, even if it allocates quantities.
        total_quantity = 0 or allocated_total = 0 as is_zero_total
    from snapshots

),

with_neighbors as (

    select
        *,
        {{ last_known(
            'case when not is_zero_total and valid_to > valid_from then snapshot_id end'
        ) }} over (
            partition by subscription_id
            order by event_number nulls last
            rows between unbounded preceding and current row
        ) as last_filled_snapshot_id,
        row_number() over (
            partition by subscription_id, valid_to > valid_from
            order by event_number nulls last
        ) = 1 and valid_to > valid_from as is_first
    from ranged

)

select * from with_neighbors
