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
        bool_or(has_inherited) as has_inherited,
        string_agg(
            case
                when allocated_quantity > 0
                    then concat(cost_center_id, ' ', allocated_quantity)
            end,
            ', '
            order by cost_center_id
        ) as who_has_what
    from allocations
    group by event_id

),

compared as (

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
        totaled.who_has_what,
        lag(totaled.who_has_what) over (
            partition by split_events.subscription_id
            order by split_events.event_number
        ) as who_had_what
    from split_events
    inner join totaled on split_events.event_id = totaled.event_id

),

-- A deletion that the cost center list implies makes a snapshot only where it moves seats.
snapshots as (

    select * exclude (who_has_what, who_had_what)
    from compared
    where not is_implied or who_has_what is distinct from who_had_what

),

-- From inclusive, to exclusive; of several at one instant all but the last hold for no time.
ranged as (

    select
        *,
        effective_at as valid_from,
        coalesce(
            lead(effective_at) over (
                partition by subscription_id
                order by event_number
            ),
            {{ far_future() }}
        ) as valid_to,
        allocated_total > total_quantity as is_over_allocated,
        -- A split of no licenses splits nothing, whatever it says that cost centers have.
        total_quantity = 0 or allocated_total = 0 as is_zero_total
    from snapshots

),

with_neighbors as (

    select
        *,
        last_value(
            case when not is_zero_total and valid_to > valid_from then snapshot_id end
            ignore nulls
        ) over (
            partition by subscription_id
            order by event_number
            rows between unbounded preceding and current row
        ) as last_filled_snapshot_id,
        row_number() over (
            partition by subscription_id, valid_to > valid_from
            order by event_number
        ) = 1 and valid_to > valid_from as is_first
    from ranged

)

select * from with_neighbors
