with

event_rows as (

    select * from {{ ref('int_split_event_rows') }}

),

cost_centers as (

    select * from {{ ref('int_cost_centers') }}

),

successions as (

    select * from {{ ref('int_cost_center_successions') }}

),

split_events as (

    select
        *,
        {{ match_key('event') }} as event_key
    from {{ ref('split_events') }}

),

landed_events as (

    select
        event_id,
        subscription_id,
        organization_id,
        default_cost_center_id,
        event_key,
        effective_at,
        is_date_only,
        recorded_at,
        event_sequence,
        -- Where nobody says how many there are, there are as many as were given.
        cast(
            coalesce(total_quantity, sum(allocated_quantity)) as decimal(28, 10)
        ) as total_quantity,
        min(event) as event,
        min(row_number) as file_sequence,
        -- Who lists quantities lists all of them; an event without any is a bare event.
        bool_or(allocated_quantity is not null) as is_full_snapshot,
        max(case when allocated_quantity is null then cost_center_id end)
            as named_cost_center_id
    from event_rows
    group by
        event_id,
        subscription_id,
        organization_id,
        default_cost_center_id,
        event_key,
        effective_at,
        is_date_only,
        recorded_at,
        event_sequence,
        total_quantity

),

-- Who holds seats, and who may inherit them.
holders as (

    select
        event_rows.subscription_id,
        event_rows.organization_id,
        event_rows.default_cost_center_id,
        event_rows.cost_center_id,
        min(event_rows.effective_at) as held_from
    from event_rows
    where event_rows.allocated_quantity > 0
    group by
        event_rows.subscription_id,
        event_rows.organization_id,
        event_rows.default_cost_center_id,
        event_rows.cost_center_id

),

heirs as (

    select
        holders.subscription_id,
        holders.organization_id,
        holders.default_cost_center_id,
        successions.successor_id as cost_center_id,
        holders.held_from
    from holders
    inner join successions
        on
            holders.organization_id = successions.organization_id
            and holders.cost_center_id = successions.cost_center_id

),

holders_and_heirs as (

    select * from holders
    union
    select * from heirs

),

-- A cost center with an end is deleted at that instant in every split that holds it,
-- unless the subscription's own history tells of a deletion that day.
implied_deletions as (

    select
        {{ surrogate_id([
            'holders_and_heirs.subscription_id', "'implied deletion'",
            'cost_centers.cost_center_id', 'cost_centers.valid_to',
        ]) }} as event_id,
        holders_and_heirs.subscription_id,
        holders_and_heirs.organization_id,
        holders_and_heirs.default_cost_center_id,
        'costcenterdeleted' as event_key,
        cost_centers.valid_to as effective_at,
        false as is_date_only,
        cost_centers.valid_to as recorded_at,
        cast(null as decimal(28, 10)) as event_sequence,
        cast(null as decimal(28, 10)) as total_quantity,
        'Cost center deleted' as event,
        cast(0 as bigint) as file_sequence,
        false as is_full_snapshot,
        cost_centers.cost_center_id as named_cost_center_id
    from holders_and_heirs
    inner join cost_centers
        on
            holders_and_heirs.organization_id = cost_centers.organization_id
            and holders_and_heirs.cost_center_id = cost_centers.cost_center_id
    left join landed_events as told_deletions
        on
            holders_and_heirs.subscription_id = told_deletions.subscription_id
            and told_deletions.event_key = 'costcenterdeleted'
            and cast(cost_centers.valid_to as date)
            = cast(told_deletions.effective_at as date)
            and coalesce(told_deletions.named_cost_center_id, cost_centers.cost_center_id)
            = cost_centers.cost_center_id
    where
        cost_centers.valid_to is not null
        and holders_and_heirs.held_from < cost_centers.valid_to
        and told_deletions.event_id is null
    group by
        holders_and_heirs.subscription_id,
        holders_and_heirs.organization_id,
        holders_and_heirs.default_cost_center_id,
        cost_centers.cost_center_id,
        cost_centers.valid_to

),

all_events as (

    select
        *,
        false as is_implied
    from landed_events
    union all
    select
        *,
        true as is_implied
    from implied_deletions

),

-- Where only dates are known, what a person did counts after what happened by itself.
numbered as (

    select
        all_events.*,
        coalesce(split_events.event_kind, 'other') as event_kind,
        row_number() over (
            partition by all_events.subscription_id
            order by
                all_events.effective_at,
                all_events.recorded_at,
                all_events.event_sequence nulls first,
                all_events.is_date_only and coalesce(split_events.is_manual, false),
                all_events.file_sequence,
                all_events.event_id
        ) as event_number
    from all_events
    left join split_events on all_events.event_key = split_events.event_key

),

-- What an event does not say carries forward from the event before.
carried as (

    select
        * exclude (total_quantity),
        last_value(case when is_full_snapshot then event_number end ignore nulls) over (
            partition by subscription_id
            order by event_number
            rows between unbounded preceding and current row
        ) as allocations_event_number,
        last_value(total_quantity ignore nulls) over (
            partition by subscription_id
            order by event_number
            rows between unbounded preceding and current row
        ) as total_quantity
    from numbered

)

select * from carried
