with

split_events as (

    select * from {{ ref('int_split_events') }}

),

event_rows as (

    select * from {{ ref('int_split_event_rows') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

successions as (

    select * from {{ ref('int_cost_center_successions') }}

),

full_snapshots as (

    select
        split_events.subscription_id,
        split_events.event_number,
        event_rows.cost_center_id,
        event_rows.cost_center_name,
        event_rows.allocated_quantity
    from split_events
    inner join event_rows on split_events.event_id = event_rows.event_id
    where split_events.is_full_snapshot and event_rows.cost_center_id is not null

),

-- Whom a bare event names: who was created, who was deleted.
named_by_events as (

    select
        split_events.event_id,
        split_events.subscription_id,
        split_events.event_kind,
        split_events.event_number,
        event_rows.cost_center_id
    from split_events
    inner join event_rows on split_events.event_id = event_rows.event_id
    where
        event_rows.allocated_quantity is null
        and event_rows.cost_center_id is not null
        and split_events.event_kind in ('center_created', 'center_deleted')
    union all
    select
        event_id,
        subscription_id,
        event_kind,
        event_number,
        named_cost_center_id as cost_center_id
    from split_events
    where is_implied

),

-- The split as of an event: the last one that was spelled out, up to that event.
spelled_out as (

    select
        split_events.*,
        full_snapshots.cost_center_id,
        full_snapshots.cost_center_name,
        coalesce(full_snapshots.allocated_quantity, 0) as allocated_quantity
    from split_events
    inner join full_snapshots
        on
            split_events.subscription_id = full_snapshots.subscription_id
            and split_events.allocations_event_number = full_snapshots.event_number

),

-- Cost centers created since then have nothing yet, but they are there.
created_since as (

    select
        split_events.*,
        creations.cost_center_id,
        cast(null as varchar) as cost_center_name,
        cast(0 as decimal(28, 10)) as allocated_quantity
    from split_events
    inner join named_by_events as creations
        on
            split_events.subscription_id = creations.subscription_id
            and creations.event_kind = 'center_created'
            and creations.event_number <= split_events.event_number
            and creations.event_number > coalesce(split_events.allocations_event_number, 0)

),

named as (

    select * from spelled_out
    union all
    select * from created_since

),

-- Deleted: by its own end, or by an event of the subscription since the last spelling out.
with_deletion as (

    select
        named.event_id,
        named.cost_center_id,
        max(named.cost_center_name) as cost_center_name,
        max(named.allocated_quantity) as allocated_quantity,
        bool_or(
            deletions.event_id is not null
            or coalesce(cost_centers.valid_to <= named.effective_at, false)
        ) as is_deleted
    from named
    left join cost_centers
        on
            named.organization_id = cost_centers.organization_id
            and named.cost_center_id = cost_centers.cost_center_id
    left join named_by_events as deletions
        on
            named.subscription_id = deletions.subscription_id
            and named.cost_center_id = deletions.cost_center_id
            and deletions.event_kind = 'center_deleted'
            and deletions.event_number <= named.event_number
            and deletions.event_number > coalesce(named.allocations_event_number, 0)
    group by named.event_id, named.cost_center_id

),

-- The nearest successor that is still there takes over; without one, Default does.
heirs as (

    select
        with_deletion.event_id,
        with_deletion.cost_center_id,
        successions.successor_id,
        row_number() over (
            partition by with_deletion.event_id, with_deletion.cost_center_id
            order by successions.distance
        ) as nearest_first
    from with_deletion
    inner join split_events on with_deletion.event_id = split_events.event_id
    inner join successions
        on
            split_events.organization_id = successions.organization_id
            and with_deletion.cost_center_id = successions.cost_center_id
            and (
                successions.successor_valid_to is null
                or successions.successor_valid_to > split_events.effective_at
            )
            and successions.successor_id <> with_deletion.cost_center_id
    left join named_by_events as deletions
        on
            split_events.subscription_id = deletions.subscription_id
            and successions.successor_id = deletions.cost_center_id
            and deletions.event_kind = 'center_deleted'
            and deletions.event_number <= split_events.event_number
            and deletions.event_number
            > coalesce(split_events.allocations_event_number, 0)
    where with_deletion.is_deleted and deletions.event_id is null

),

inherited as (

    select
        split_events.event_id,
        case
            when with_deletion.is_deleted
                then coalesce(heirs.successor_id, split_events.default_cost_center_id)
            else with_deletion.cost_center_id
        end as cost_center_id,
        case
            when not with_deletion.is_deleted then with_deletion.cost_center_name
        end as cost_center_name,
        with_deletion.allocated_quantity,
        with_deletion.is_deleted and with_deletion.allocated_quantity > 0
            as is_inherited
    from with_deletion
    inner join split_events on with_deletion.event_id = split_events.event_id
    left join heirs
        on
            with_deletion.event_id = heirs.event_id
            and with_deletion.cost_center_id = heirs.cost_center_id
            and heirs.nearest_first = 1

),

-- Whether any seats changed hands, be it to Default.
inheritances as (

    select
        event_id,
        bool_or(is_inherited) as has_inherited
    from inherited
    group by event_id

),

-- In a bare event Default is not carried: it is what the others leave of the total.
carried as (

    select
        inherited.event_id,
        inherited.cost_center_id,
        max(inherited.cost_center_name) as cost_center_name,
        sum(inherited.allocated_quantity) as allocated_quantity
    from inherited
    inner join split_events on inherited.event_id = split_events.event_id
    where
        split_events.is_full_snapshot
        or inherited.cost_center_id <> split_events.default_cost_center_id
    group by inherited.event_id, inherited.cost_center_id

),

left_over as (

    select
        split_events.event_id,
        split_events.default_cost_center_id as cost_center_id,
        greatest(
            split_events.total_quantity - coalesce(sum(carried.allocated_quantity), 0), 0
        ) as unallocated_quantity
    from split_events
    left join carried on split_events.event_id = carried.event_id
    group by
        split_events.event_id,
        split_events.default_cost_center_id,
        split_events.total_quantity

),

with_left_over as (

    select
        coalesce(carried.event_id, left_over.event_id) as event_id,
        coalesce(carried.cost_center_id, left_over.cost_center_id) as cost_center_id,
        carried.cost_center_name,
        coalesce(carried.allocated_quantity, 0)
        + coalesce(left_over.unallocated_quantity, 0) as allocated_quantity,
        coalesce(left_over.unallocated_quantity, 0) > 0 as is_unallocated
    from carried
    full outer join left_over
        on
            carried.event_id = left_over.event_id
            and carried.cost_center_id = left_over.cost_center_id

)

select
    with_left_over.event_id,
    with_left_over.cost_center_id,
    with_left_over.cost_center_name,
    cast(with_left_over.allocated_quantity as decimal(28, 10)) as allocated_quantity,
    with_left_over.is_unallocated,
    coalesce(inheritances.has_inherited, false) as has_inherited
from with_left_over
left join inheritances on with_left_over.event_id = inheritances.event_id
