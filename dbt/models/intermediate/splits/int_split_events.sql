with

listed_events as (

    select * from {{ ref('int_split_listed_events') }}

),

implied_deletions as (

    select * from {{ ref('int_split_implied_deletions') }}

),

split_events as (

    select
        *,
        {{ match_key('event') }} as event_key
    from {{ ref('split_events') }}

),

all_events as (

    select
        *,
        false as is_implied
    from listed_events
    union all
    select
        *,
        true as is_implied
    from implied_deletions

),

-- Where only dates are known, a split made by a person counts after an automatic event.
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

-- Values that an event does not list carry forward from the event before.
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
