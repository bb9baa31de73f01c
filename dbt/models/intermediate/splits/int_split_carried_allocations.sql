{#-
The split as of an event, before the seats of deleted cost centers move: the last full snapshot up to
that event, and the cost centers created since then.
-#}
with

split_events as (

    select * from {{ ref('int_split_events') }}

),

event_rows as (

    select * from {{ ref('int_split_event_rows') }}

),

named_cost_centers as (

    select * from {{ ref('int_split_named_cost_centers') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

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

listed as (

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

-- A cost center created since then has no seats yet, but has its row.
created_since as (

    select
        split_events.*,
        creations.cost_center_id,
        cast(null as string) as cost_center_name,
        cast(0 as decimal(28, 10)) as allocated_quantity
    from split_events
    inner join named_cost_centers as creations
        on
            split_events.subscription_id = creations.subscription_id
            and creations.event_kind = 'center_created'
            and creations.event_number <= split_events.event_number
            and creations.event_number > coalesce(split_events.allocations_event_number, 0)

),

carried as (

    select * from listed
    union all
    select * from created_since

),

-- Deleted by its own end, or by an event of the subscription since the last full snapshot.
with_deletion as (

    select
        carried.event_id,
        carried.cost_center_id,
        max(carried.cost_center_name) as cost_center_name,
        max(carried.allocated_quantity) as allocated_quantity,
        bool_or(
            deletions.event_id is not null
            or coalesce(cost_centers.valid_to <= carried.effective_at, false)
        ) as is_deleted
    from carried
    left join cost_centers
        on
            carried.organization_id = cost_centers.organization_id
            and carried.cost_center_id = cost_centers.cost_center_id
    left join named_cost_centers as deletions
        on
            carried.subscription_id = deletions.subscription_id
            and carried.cost_center_id = deletions.cost_center_id
            and deletions.event_kind = 'center_deleted'
            and deletions.event_number <= carried.event_number
            and deletions.event_number > coalesce(carried.allocations_event_number, 0)
    group by carried.event_id, carried.cost_center_id

)

select * from with_deletion
