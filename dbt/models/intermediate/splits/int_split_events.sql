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

-- Providers word one event in several ways: "Cost center is deleted", "Cost center deleted". A name
-- that is not in the seed is the first event of the seed whose two words it contains.
event_names as (

    select event_key
    from all_events
    group by event_key

),

named_events as (

    select
        event_names.event_key,
        split_events.event_kind,
        split_events.is_manual,
        row_number() over (
            partition by event_names.event_key
            order by
                case
                    when event_names.event_key = split_events.event_key then 0
                    else 1
                end nulls last,
                split_events.match_order nulls last
        ) as best_first
    from event_names
    inner join split_events
        on
            event_names.event_key = split_events.event_key
            or (
                event_names.event_key like concat_ws('', '%', split_events.first_word, '%')
                and event_names.event_key like concat_ws('', '%', split_events.second_word, '%')
            )

),

-- Where only dates are known, a split made by a person counts after an automatic event.
numbered as (

    select
        all_events.*,
        coalesce(named_events.event_kind, 'other') as event_kind,
        cast(
            row_number() over (
                partition by all_events.subscription_id
                order by
                    all_events.effective_at nulls last,
                    all_events.recorded_at nulls last,
                    all_events.event_sequence nulls first,
                    all_events.is_date_only and coalesce(named_events.is_manual, false) nulls last,
                    all_events.file_sequence nulls last,
                    all_events.event_id nulls last
            ) as bigint
        ) as event_number
    from all_events
    left join named_events
        on
            all_events.event_key = named_events.event_key
            and named_events.best_first = 1

),

-- Values that an event does not list carry forward from the event before.
carried as (

    select
        * {{ without('total_quantity') }},
        {{ last_known('case when is_full_snapshot then event_number end') }} over (
            partition by subscription_id
            order by event_number nulls last
            rows between unbounded preceding and current row
        ) as allocations_event_number,
        {{ last_known('total_quantity') }} over (
            partition by subscription_id
            order by event_number nulls last
            rows between unbounded preceding and current row
        ) as total_quantity
    from numbered

)

select * from carried
